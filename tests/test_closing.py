"""What the end of a check, or of a watch, writes about an alert."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

import pytest

from monitor.alert import step
from monitor.briefing import Surroundings
from monitor.check import CheckStatus
from monitor.closing import Known, changes_of, inhibitor, removals
from monitor.errors import AssistantFailure
from monitor.incident import Incident
from monitor.machine import AlertPolicy, AlertState, NotificationKind, RuleRemoved
from monitor.rules import nodata
from monitor.rules.mean import MeanPolicy
from monitor.rules.policy import IntentPolicy, RegressionPolicy, RoundsPolicy, RulesPolicy
from monitor.store import AlertChanges
from monitor.verdict import Finding, Severity, Verdict
from tests.fixtures.checking import BAD, GOOD, Checking
from tests.parties import T0, intent

POLICY = AlertPolicy.everywhere("slack", "pagerduty")
HOME = Surroundings(app="app", environment="prod", base_url=None)
BREACH = Verdict(
    scope="shop/overall", rule="mean", finding=Finding.BREACH, severity=Severity.CRITICAL, reason="average 0.30"
)
NODATA = nodata.judge("s", 10.0, nodata.Patience(limit_seconds=9.0, check_seconds=1.0), None)
INCIDENT = Incident(
    id="i1",
    scope="shop/overall",
    dedup_key="app:prod:shop/overall",
    rule="mean",
    severity=Severity.CRITICAL,
    opened_at=T0,
    opened_by_check="c1",
    reason="average 0.30",
)


def firing() -> AlertState:
    return step(AlertState(scope="shop/overall"), BREACH, POLICY, T0, "i1")[0]


def test_a_suite_that_is_removed_ends_its_incident_on_every_channel_of_the_open() -> None:
    known = Known(state=firing(), incident=INCIDENT)
    changes = changes_of([RuleRemoved()], known, AlertPolicy.everywhere(), HOME, T0)
    (closed,) = changes.closed
    assert (closed.closed_at, closed.close_reason) == (T0, "closed: rule removed")
    assert [(d.channel, d.kind) for d in changes.notifications] == [
        ("slack", NotificationKind.RESOLVE),
        ("pagerduty", NotificationKind.RESOLVE),
    ]
    assert {d.alert.reason for d in changes.notifications} == {"closed: rule removed"}


def test_a_rule_that_is_turned_off_is_removed_from_what_it_found() -> None:
    assert removals(firing(), RulesPolicy()) == [RuleRemoved(rule="mean")]
    assert removals(firing(), None) == [RuleRemoved()]
    quality = step(AlertState(scope="s/overall"), replace(BREACH, rule="quality"), POLICY, T0, "i1")[0]
    assert removals(quality, RulesPolicy()) == []
    nodata = step(AlertState(scope="s/overall"), replace(BREACH, rule="nodata"), POLICY, T0, "i1")[0]
    assert removals(nodata, RulesPolicy()) == []


def test_rules_that_recover_together_change_the_incident_and_then_close_it() -> None:
    other = replace(BREACH, rule="quality", severity=Severity.ERROR)
    both, _ = step(firing(), other, POLICY, T0, "unused")
    good = [replace(event, finding=Finding.RECOVERED) for event in (BREACH, other)]
    changes = changes_of(good, Known(state=both, incident=INCIDENT), POLICY, HOME, T0)
    assert [(i.rule, i.closed_at) for i in (*changes.updated, *changes.closed)] == [("quality", None), ("quality", T0)]
    assert [state.version for state in changes.states] == [both.version + 1]


def test_an_event_that_moves_nothing_writes_nothing() -> None:
    known = Known(state=firing(), incident=INCIDENT)
    assert changes_of([BREACH], known, POLICY, HOME, T0) == AlertChanges()


def test_the_dedup_key_holds_names_and_nothing_that_changes() -> None:
    fresh = Known(state=AlertState(scope="shop/overall"))
    first = changes_of([BREACH], fresh, POLICY, HOME, T0)
    other = changes_of([replace(BREACH, threshold=0.9, value=0.1)], fresh, POLICY, HOME, T0)
    assert {d.dedup_key for d in (*first.notifications, *other.notifications)} == {"app:prod:shop/overall"}
    assert first.opened[0] == replace(INCIDENT, id=first.opened[0].id, opened_by_check=None)


async def test_a_message_tells_the_interval_and_how_often_the_assistant_failed(checking: Checking) -> None:
    await checking.run()
    checking.answers(AssistantFailure("http_status", "HTTP 500"))
    await checking.run()
    alert = checking.store.notifications()[0].alert
    assert (alert.error_share, alert.error_share_before) == (1.0, 0.0)
    assert alert.interval is not None
    assert alert.interval[0] == 0.0 < alert.interval[1] < 0.7


async def test_a_message_tells_how_much_slower_the_assistant_answers(checking: Checking) -> None:
    await checking.run()
    checking.answers(BAD)
    checking.assistant.latency_seconds = 4.0
    await checking.run()
    alert = checking.store.notifications()[0].alert
    assert (alert.latency_seconds, alert.latency_seconds_before) == (4.0, 0.5)


async def test_a_message_tells_how_far_the_average_fell_and_since_when(checking: Checking) -> None:
    answers = cycle([BAD, GOOD])
    checking.assistant.answer = lambda _: next(answers)
    rounds = RoundsPolicy(least=4, most=4)
    rules = RulesPolicy(rounds=rounds, quality=None, regression=RegressionPolicy(drop=0.4), intent=None)
    check = checking.check(at_once=1)
    check = replace(check, decision=replace(check.decision, rules=rules))
    for _ in range(12):
        await checking.run(check)
    checking.answers(BAD)
    began = checking.clock.at
    for _ in range(12):
        await checking.run(check)
    alert = checking.store.notifications()[0].alert
    assert alert.drop == pytest.approx(0.75, abs=0.01), "all that the heavier intent had, and none of the other's"
    assert alert.onset_at is not None
    assert alert.onset_at >= began


async def test_a_valid_check_ends_what_was_told_because_none_came_in_its_own_transaction(checking: Checking) -> None:
    told = step(AlertState(scope="s/overall"), NODATA, POLICY, T0, "i1")[0]
    incident = replace(INCIDENT, scope="s/overall", rule="nodata", opened_by_check=None)
    checking.store.change_alerts(AlertChanges(states=(told,), opened=(incident,)))
    checking.answers(AssistantFailure("rate_limited"))
    assert (await checking.run()).status is CheckStatus.INCONCLUSIVE
    assert [breach.rule for breach in checking.store.alert_state("s/overall").breaches] == ["nodata"]
    checking.answers(GOOD)
    check = await checking.run()
    (closed,) = checking.store.incidents()
    assert (closed.closed_by_check, closed.close_reason) == (check.id, "a valid check came")


async def test_a_bad_check_keeps_open_what_began_because_no_check_came(checking: Checking) -> None:
    told = step(AlertState(scope="s/overall"), NODATA, POLICY, T0, "i1")[0]
    incident = replace(INCIDENT, scope="s/overall", rule="nodata", opened_by_check=None)
    checking.store.change_alerts(AlertChanges(states=(told,), opened=(incident,)))
    checking.answers(BAD)
    await checking.run()
    assert [breach.rule for breach in checking.store.alert_state("s/overall").breaches] == ["mean"]


@pytest.mark.parametrize(
    ("suite", "one", "is_kept"),
    [
        (Severity.WARNING, Severity.WARNING, True),
        (Severity.WARNING, Severity.CRITICAL, False),
        (Severity.CRITICAL, Severity.CRITICAL, True),
        (Severity.CRITICAL, Severity.WARNING, True),
    ],
)
def test_an_incident_of_the_suite_keeps_back_what_is_no_more_severe(
    suite: Severity, one: Severity, is_kept: bool
) -> None:
    said = replace(BREACH, scope="shop/refund", rule="intent", severity=one)
    assert inhibitor(replace(firing(), severity=suite), [said]) == ("shop/overall" if is_kept else None)


async def test_a_critical_intent_is_told_beside_a_warning_about_the_suite(checking: Checking) -> None:
    rounds = RoundsPolicy(least=4, most=4)
    mean = MeanPolicy(threshold=0.7, severity=Severity.WARNING)
    rules = RulesPolicy(rounds=rounds, quality=None, regression=None, intent=IntentPolicy(), mean=mean)
    check = checking.check(at_once=1)
    critical = replace(check.suite, intents=(intent(id="one", critical=True), intent(id="two")))
    check = replace(check, suite=critical, decision=replace(check.decision, rules=rules))
    for answer in [GOOD] * 12 + [BAD] * 3:
        checking.answers(answer)
        await checking.run(check)
    found = {incident.scope for incident in checking.store.incidents(open_only=True)}
    assert found == {"s/overall", "s/one"}, "the intent that is not critical stays inside of the suite's incident"
