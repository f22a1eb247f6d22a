"""The alert machine by example: one scope, one event after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.alert import step, steps
from monitor.machine import (
    Ack,
    AlertPolicy,
    AlertState,
    CloseIncident,
    Delivered,
    Effect,
    Escalation,
    Event,
    MaintenanceEnded,
    NotificationKind,
    Notify,
    OpenIncident,
    Phase,
    Resolved,
    RuleRemoved,
    Silenced,
    Tick,
    UpdateIncident,
    Window,
)
from monitor.verdict import Finding, Severity, Verdict

T0 = datetime(2026, 1, 1, tzinfo=UTC)
CHANNELS = ("slack", "pagerduty")
BOTH = AlertPolicy.everywhere(*CHANNELS)
LOUD = replace(BOTH, routes={Severity.WARNING: ("slack",), Severity.CRITICAL: CHANNELS})
NIGHT = Window(name="deploy", starts_at=T0, ends_at=T0 + timedelta(hours=2))


def verdict(finding: Finding, rule: str = "mean", severity: Severity = Severity.CRITICAL) -> Verdict:
    return Verdict(scope="s/overall", rule=rule, finding=finding, severity=severity, reason=f"{rule} says so")


def bad(rule: str = "mean", severity: Severity = Severity.CRITICAL) -> Verdict:
    return verdict(Finding.BREACH, rule, severity)


def good(rule: str = "mean") -> Verdict:
    return verdict(Finding.RECOVERED, rule)


def told(channel: str, incident_id: str = "i0") -> Delivered:
    return Delivered(channel=channel, incident_id=incident_id)


@dataclass
class Story:
    """A scope's alert; each call is one event, and returns its effects in short."""

    policy: AlertPolicy = BOTH
    state: AlertState = field(default_factory=lambda: AlertState(scope="s/overall"))
    effects: list[Effect] = field(default_factory=list)
    opened: int = 0

    def at(self, hours: float, *events: Event, **policy: Any) -> list[str]:
        self.policy = replace(self.policy, **policy)
        now = T0 + timedelta(hours=hours)
        self.state, effects = steps(self.state, events, self.policy, now, f"i{self.opened}")
        self.opened += any(isinstance(effect, OpenIncident) for effect in effects)
        self.effects += effects
        return [_short(effect) for effect in effects]

    def told(self, channel: str) -> list[str]:
        return [e.kind.value for e in self.effects if isinstance(e, Notify) and e.channel == channel]


def _short(effect: Effect) -> str:
    match effect:
        case Notify():
            return f"{effect.kind.value} {effect.channel}"
        case OpenIncident():
            return f"opened {effect.incident_id} {effect.rule}"
        case UpdateIncident():
            return f"updated {effect.rule} {effect.severity}"
        case CloseIncident():
            return f"closed {effect.reason}"


def play(events: Sequence[Event], policy: AlertPolicy = BOTH) -> tuple[AlertState, list[Effect]]:
    state, effects = AlertState(scope="s/overall"), list[Effect]()
    for number, event in enumerate(events):
        state, new = step(state, event, policy, T0 + timedelta(hours=number), f"i{number}")
        effects += new
    return state, effects


def test_a_breach_opens_one_incident_and_tells_every_channel_once() -> None:
    story = Story()
    assert story.at(0, bad()) == ["opened i0 mean", "open slack", "open pagerduty"]
    assert story.at(1, bad()) == []
    assert story.state.phase is Phase.FIRING


@pytest.mark.parametrize("finding", [Finding.HOLD, Finding.UNKNOWN])
@pytest.mark.parametrize("before", [[], [Finding.BREACH], [Finding.BREACH, Finding.RECOVERED]])
def test_a_verdict_without_evidence_changes_nothing(finding: Finding, before: list[Finding]) -> None:
    assert play([verdict(f) for f in before]) == play([verdict(f) for f in [*before, finding]])


@pytest.mark.parametrize("end", [good(), RuleRemoved(), RuleRemoved(rule="mean"), Resolved(by="ann", reason="")])
def test_the_end_is_told_on_the_channels_of_the_open_even_if_the_policy_lost_them(end: Event) -> None:
    firing, _ = play([bad()])
    state, effects = step(firing, end, AlertPolicy.everywhere(), T0, "unused")
    assert state.phase is Phase.RESOLVING
    assert [effect.channel for effect in effects if isinstance(effect, Notify)] == ["slack", "pagerduty"]


def test_it_is_ok_only_when_every_channel_was_told_of_the_end() -> None:
    events: list[Event] = [bad(), good(), told("slack")]
    assert play(events)[0].phase is Phase.RESOLVING
    assert play([*events, told("pagerduty")])[0] == AlertState(
        scope="s/overall", phase=Phase.OK, since=T0 + timedelta(hours=3), opens=(T0,), version=4
    )


def test_a_breach_while_resolving_opens_a_new_incident() -> None:
    state, effects = play([bad(), good(), bad()])
    assert (state.phase, state.incident_id) == (Phase.FIRING, "i2")
    kinds = [effect.kind.value for effect in effects if isinstance(effect, Notify) and effect.channel == "slack"]
    assert kinds == ["open", "resolve", "open"]


def test_news_of_an_older_incident_does_not_end_the_present_one() -> None:
    events = [bad(), good(), bad()]
    assert play([*events, told("slack")])[0] == play(events)[0]


def test_news_of_an_older_end_is_not_news_of_this_one() -> None:
    events = [bad(), good(), bad(), good()]
    assert play([*events, told("slack", "i0")])[0].unresolved == CHANNELS
    assert play([*events, told("slack", "i2")])[0].unresolved == ("pagerduty",)


def test_without_channels_the_incident_opens_and_closes_silently() -> None:
    state, effects = play([bad(), good()], AlertPolicy.everywhere())
    assert state.phase is Phase.OK
    assert [type(effect).__name__ for effect in effects] == ["OpenIncident", "CloseIncident"]


# several rules


def test_rules_share_an_incident_that_ends_with_the_last_of_them() -> None:
    story = Story()
    story.at(0, bad("quality"))
    assert story.at(1, bad("availability")) == []
    assert story.at(2, good("quality")) == ["updated availability critical"]
    assert story.at(3, good("availability")) == ["closed availability says so", "resolve slack", "resolve pagerduty"]


def test_the_recovery_of_a_rule_that_is_not_in_breach_ends_nothing() -> None:
    story = Story()
    story.at(0, bad("quality"))
    assert story.at(1, good("availability")) == []


def test_a_higher_severity_updates_who_knows_and_opens_where_it_is_routed_first() -> None:
    story = Story(LOUD)
    assert story.at(0, bad("regression", Severity.WARNING)) == ["opened i0 regression", "open slack"]
    assert story.at(1, bad("regression")) == ["updated regression critical", "update slack", "open pagerduty"]
    assert story.at(2, bad("regression")) == []


def test_the_severity_of_an_incident_never_falls() -> None:
    story = Story(LOUD)
    story.at(0, bad("quality"), bad("regression", Severity.WARNING))
    assert story.at(1, good("quality")) == ["updated regression critical"]
    assert story.state.severity is Severity.CRITICAL


def test_a_rule_that_is_bad_still_but_less_so_leads_on() -> None:
    story = Story()
    story.at(0, bad("regression"), bad("quality", Severity.ERROR))
    assert story.at(1, bad("regression", Severity.WARNING)) == []


def test_the_verdicts_of_one_check_open_one_incident_at_its_full_severity() -> None:
    story = Story(LOUD)
    effects = story.at(0, good("availability"), bad("regression", Severity.WARNING), bad("quality"))
    assert effects == ["opened i0 quality", "open slack", "open pagerduty"]
    assert story.state.version == 1


def test_a_rule_that_takes_over_in_the_same_check_keeps_the_incident_open() -> None:
    story = Story()
    story.at(0, bad("quality"))
    assert story.at(1, good("quality"), bad("availability")) == ["updated availability critical"]


def test_a_removed_rule_leaves_the_others_in_breach() -> None:
    story = Story()
    story.at(0, bad("quality"), bad("mean"))
    assert story.at(1, RuleRemoved(rule="quality")) == ["updated mean critical"]
    assert story.at(2, RuleRemoved())[0] == "closed closed: rule removed"


# windows


@pytest.mark.parametrize("event", [Tick(), MaintenanceEnded(), bad()])
def test_what_opens_in_a_window_and_lasts_is_told_after_it(event: Event) -> None:
    story = Story(replace(BOTH, windows=(NIGHT,)))
    assert story.at(1, bad()) == ["opened i0 mean"]
    assert story.state.suppressed_by == "deploy"
    assert story.at(1.9, Tick()) == []
    assert story.at(2, event) == ["open slack", "open pagerduty"]
    assert story.state.suppressed_by is None


def test_what_opens_and_ends_in_a_window_is_never_told() -> None:
    story = Story(replace(BOTH, windows=(NIGHT,)))
    story.at(0, bad())
    assert story.at(1, good()) == ["closed mean says so"]
    assert story.at(3, Tick()) == []
    assert story.state.phase is Phase.OK


def test_what_was_told_before_a_window_is_ended_inside_it() -> None:
    story = Story()
    story.at(-1, bad())
    assert story.at(0, Silenced(), windows=(NIGHT,)) == []
    assert story.state.suppressed_by == "deploy"
    assert story.at(1, good())[1:] == ["resolve slack", "resolve pagerduty"]


def test_a_rise_within_a_window_is_told_after_it() -> None:
    story = Story(LOUD)
    story.at(-1, bad("regression", Severity.WARNING))
    assert story.at(0, bad("regression"), windows=(NIGHT,)) == ["updated regression critical"]
    assert story.at(2, Tick()) == ["update slack", "open pagerduty"]


def test_an_open_incident_of_the_suite_keeps_others_from_opening_and_not_from_ending() -> None:
    story = Story(replace(BOTH, inhibited_by="i9"))
    assert story.at(0, bad()) == []
    story.at(1, bad(), inhibited_by=None)
    assert story.at(2, good(), inhibited_by="i9")[0] == "closed mean says so"


# people


def test_an_ack_is_told_once_and_lapses() -> None:
    story = Story()
    story.at(0, bad())
    ack = Ack(by="ann", until=T0 + timedelta(hours=10))
    assert story.at(1, ack) == ["updated mean critical", "ack slack", "ack pagerduty"]
    assert story.at(1, ack) == []
    assert story.at(9, Tick()) == []
    assert story.at(10, Tick()) == ["updated mean critical", "reminder slack", "reminder pagerduty"]
    assert story.state.acked_by is None


@pytest.mark.parametrize("event", [Ack(by="ann", until=T0 + timedelta(days=1)), Resolved(by="ann", reason="mended")])
def test_there_is_nothing_to_take_or_to_resolve_without_an_incident(event: Event) -> None:
    assert Story().at(0, event) == []


def test_resolved_by_hand_it_ends_and_what_is_still_bad_opens_anew() -> None:
    story = Story()
    story.at(0, bad(), bad("quality"))
    closed = story.at(1, Resolved(by="ann", reason="mended"))
    assert closed == ["closed resolved by ann: mended", "resolve slack", "resolve pagerduty"]
    assert story.at(2, bad())[0] == "opened i1 mean"


def test_an_ack_that_lapsed_before_it_was_heard_is_none() -> None:
    story = Story()
    story.at(0, bad())
    assert story.at(1, Ack(by="ann", until=T0 + timedelta(hours=1))) == []


def test_an_ack_lapses_within_a_window_as_without_one() -> None:
    story = Story()
    story.at(-3, bad())
    story.at(-2, Ack(by="ann", until=T0 + timedelta(hours=1)))
    story.at(0, Silenced(), windows=(NIGHT,))
    assert story.at(1, Tick()) == ["updated mean critical"]


# time


def test_reminders_come_at_their_pace_until_they_are_too_many() -> None:
    story = Story(replace(BOTH, most_reminders=2))
    story.at(0, bad())
    for hour in range(1, 24):
        story.at(hour, Tick())
    assert story.told("slack") == ["open", "reminder", "reminder"]
    assert story.state.reminded_at == T0 + timedelta(hours=8)


def test_a_suppressed_incident_is_not_reminded_of() -> None:
    story = Story()
    story.at(-9, bad())
    assert story.at(1, Tick(), windows=(NIGHT,)) == []


def test_an_incident_that_nobody_takes_is_told_on_further_channels_once() -> None:
    steps_up = (Escalation(after=timedelta(hours=1), channels=("slack", "boss")),)
    story = Story(replace(BOTH, escalations=steps_up))
    story.at(0, bad())
    assert story.at(0.9, Tick()) == []
    assert story.at(1, Tick()) == ["open boss"]
    assert story.at(2, Tick()) == []
    assert story.at(3, good())[1:] == ["resolve slack", "resolve pagerduty", "resolve boss"]


def test_a_step_for_the_severe_alone_is_taken_when_the_incident_becomes_severe() -> None:
    steps_up = (
        Escalation(after=timedelta(hours=1), channels=("boss",), severities=(Severity.CRITICAL,)),
        Escalation(after=timedelta(hours=2), channels=("team",)),
    )
    story = Story(replace(BOTH, escalations=steps_up))
    story.at(0, bad(severity=Severity.WARNING))
    assert story.at(2, Tick()) == ["open team"]
    story.at(2.5, bad(severity=Severity.CRITICAL))
    assert story.at(3, Tick()) == ["open boss"]


@pytest.mark.parametrize("policy", [AlertPolicy.everywhere(), replace(BOTH, windows=(NIGHT,))])
def test_an_incident_that_nobody_was_told_of_does_not_escalate(policy: AlertPolicy) -> None:
    story = Story(replace(policy, escalations=(Escalation(after=timedelta(hours=1), channels=("boss",)),)))
    story.at(0, bad())
    assert story.at(1.5, Tick()) == []


def test_an_incident_that_somebody_took_does_not_escalate() -> None:
    story = Story(replace(BOTH, escalations=(Escalation(after=timedelta(hours=1), channels=("boss",)),)))
    story.at(0, bad())
    story.at(0.5, Ack(by="ann", until=T0 + timedelta(hours=5)))
    assert story.at(2, Tick()) == []


# flapping


def flapping() -> Story:
    story = Story(replace(BOTH, flapping_opens=3, flapping_calm=2))
    for hour in range(2):
        story.at(2 * hour, bad())
        story.at(2 * hour + 1, good())
    story.at(4, bad())
    assert story.state.is_flapping
    return story


def test_a_flapping_incident_is_held_open_until_it_is_calm() -> None:
    story = flapping()
    assert story.at(5, good()) == []
    assert story.at(6, bad()) == ["updated mean critical"]
    assert story.at(7, good()) == []
    assert story.at(8, verdict(Finding.HOLD), good("quality"))[0] == "closed quality says so"
    assert not story.state.is_flapping


def test_several_good_verdicts_of_one_check_are_one_towards_calm() -> None:
    story = flapping()
    assert story.at(5, good(), good("quality"), good("availability")) == []
    assert story.state.calm == 1


def test_openings_long_ago_do_not_count_as_flapping() -> None:
    story = Story(replace(BOTH, flapping_opens=2))
    story.at(0, bad())
    story.at(1, good())
    story.at(24, bad())
    assert not story.state.is_flapping


def test_a_held_incident_ends_when_its_openings_are_long_ago() -> None:
    story = flapping()
    story.at(5, good())
    assert story.at(23.9, Tick()) == []
    assert story.at(24, Tick())[0] == "closed nothing is in breach, and it flaps no longer"


@pytest.mark.parametrize("end", [RuleRemoved(), RuleRemoved(rule="mean"), Resolved(by="ann", reason="")])
def test_a_flapping_incident_is_not_held_against_a_removed_rule_or_a_person(end: Event) -> None:
    assert flapping().at(5, end)[0].startswith("closed ")


def test_a_held_incident_that_was_never_told_stays_so() -> None:
    story = Story(replace(BOTH, flapping_opens=1, windows=(NIGHT,)))
    story.at(0, bad())
    story.at(1, good())
    assert story.at(3, Tick()) == []
    assert story.state.phase is Phase.FIRING


def test_a_held_incident_ends_within_a_window_as_without_one() -> None:
    story = flapping()
    story.at(5, good())
    story.at(23, Silenced(), windows=(replace(NIGHT, ends_at=T0 + timedelta(days=2)),))
    assert story.at(24, Tick())[0].startswith("closed ")


def test_a_held_incident_is_not_reminded_of() -> None:
    story = flapping()
    story.at(5, good())
    assert story.at(20, Tick()) == []


def test_a_kind_is_told_of_the_incident_at_its_severity() -> None:
    story = Story()
    story.at(0, bad(severity=Severity.ERROR))
    notify = story.effects[-1]
    assert notify == Notify(incident_id="i0", channel="pagerduty", kind=NotificationKind.OPEN, severity=Severity.ERROR)
