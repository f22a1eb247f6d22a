"""The alert machine, as a table and as properties over random histories."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alert import step
from monitor.incident import (
    AlertPolicy,
    AlertState,
    Delivered,
    Effect,
    Event,
    NotificationKind,
    Notify,
    Phase,
    RuleRemoved,
)
from monitor.verdict import Finding, Severity, Verdict

T0 = datetime(2026, 1, 1, tzinfo=UTC)
BOTH = AlertPolicy(channels=("slack", "pagerduty"))


def verdict(finding: Finding) -> Verdict:
    return Verdict(scope="s/overall", rule="mean", finding=finding, severity=Severity.CRITICAL, reason="because")


def play(events: Sequence[Event], policy: AlertPolicy = BOTH) -> tuple[AlertState, list[Effect]]:
    state, effects = AlertState(scope="s/overall"), list[Effect]()
    for number, event in enumerate(events):
        state, new = step(state, event, policy, T0 + timedelta(hours=number), f"incident-{number}")
        effects += new
    return state, effects


def kinds(effects: Sequence[Effect], channel: str) -> list[NotificationKind]:
    return [effect.kind for effect in effects if isinstance(effect, Notify) and effect.channel == channel]


def test_a_breach_opens_one_incident_and_tells_every_channel_once() -> None:
    state, effects = play([verdict(Finding.BREACH), verdict(Finding.BREACH)])
    assert state.phase is Phase.FIRING
    assert [type(effect).__name__ for effect in effects] == ["OpenIncident", "Notify", "Notify"]


@pytest.mark.parametrize("finding", [Finding.HOLD, Finding.UNKNOWN])
@pytest.mark.parametrize("before", [[], [Finding.BREACH], [Finding.BREACH, Finding.RECOVERED]])
def test_a_verdict_without_evidence_changes_nothing(finding: Finding, before: list[Finding]) -> None:
    assert play([verdict(f) for f in before]) == play([verdict(f) for f in [*before, finding]])


@pytest.mark.parametrize("end", [verdict(Finding.RECOVERED), RuleRemoved()])
def test_the_end_is_told_on_the_channels_of_the_open_even_if_the_policy_lost_them(end: Event) -> None:
    firing, _ = play([verdict(Finding.BREACH)])
    state, effects = step(firing, end, AlertPolicy(channels=()), T0, "unused")
    assert state.phase is Phase.RESOLVING
    assert [effect.channel for effect in effects if isinstance(effect, Notify)] == ["slack", "pagerduty"]


def test_it_is_ok_only_when_every_channel_was_told_of_the_end() -> None:
    events: list[Event] = [verdict(Finding.BREACH), verdict(Finding.RECOVERED)]
    told = [Delivered(channel=channel, incident_id="incident-0") for channel in BOTH.channels]
    assert play([*events, told[0]])[0].phase is Phase.RESOLVING
    assert play([*events, *told])[0] == AlertState(
        scope="s/overall", phase=Phase.OK, since=T0 + timedelta(hours=3), version=4
    )


def test_a_breach_while_resolving_opens_a_new_incident() -> None:
    state, effects = play([verdict(Finding.BREACH), verdict(Finding.RECOVERED), verdict(Finding.BREACH)])
    assert (state.phase, state.incident_id) == (Phase.FIRING, "incident-2")
    assert kinds(effects, "slack") == [NotificationKind.OPEN, NotificationKind.RESOLVE, NotificationKind.OPEN]


def test_news_of_an_older_incident_does_not_end_the_present_one() -> None:
    events = [verdict(Finding.BREACH), verdict(Finding.RECOVERED), verdict(Finding.BREACH)]
    late = Delivered(channel="slack", incident_id="incident-0")
    assert play([*events, late])[0] == play(events)[0]


def test_without_channels_the_incident_opens_and_closes_silently() -> None:
    state, effects = play([verdict(Finding.BREACH), verdict(Finding.RECOVERED)], AlertPolicy(channels=()))
    assert state.phase is Phase.OK
    assert [type(effect).__name__ for effect in effects] == ["OpenIncident", "CloseIncident"]


EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(Finding).map(verdict),
    st.just(RuleRemoved()),
    st.builds(
        Delivered, channel=st.sampled_from(BOTH.channels), incident_id=st.integers(0, 30).map("incident-{}".format)
    ),
)


@given(st.lists(EVENTS, max_size=30))
def test_opens_and_ends_alternate_on_every_channel(events: list[Event]) -> None:
    _, effects = play(events)
    for channel in BOTH.channels:
        told = kinds(effects, channel)
        assert told[::2] == [NotificationKind.OPEN] * len(told[::2])
        assert told[1::2] == [NotificationKind.RESOLVE] * len(told[1::2])


@given(st.lists(EVENTS, max_size=30))
def test_the_version_counts_the_changes(events: list[Event]) -> None:
    state, policy = AlertState(scope="s/overall"), BOTH
    for number, event in enumerate(events):
        after, effects = step(state, event, policy, T0, f"incident-{number}")
        assert after.version == state.version + (after != state)
        assert after != state or not effects
        state = after


@given(st.lists(EVENTS, max_size=20))
def test_constant_good_news_ends_ok_and_constant_bad_news_ends_firing(events: list[Event]) -> None:
    told: list[Event] = [
        Delivered(channel=c, incident_id=f"incident-{n}") for n in range(len(events) + 1) for c in BOTH.channels
    ]
    assert play([*events, verdict(Finding.RECOVERED), *told])[0].phase is Phase.OK
    assert play([*events, verdict(Finding.BREACH)])[0].phase is Phase.FIRING
