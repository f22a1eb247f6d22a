"""What people and time do to alerts, on a real SQLite database."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from monitor.briefing import MEASURED, WORST, Surroundings
from monitor.closing import Known, changes_of
from monitor.errors import NotThere, OverAlready
from monitor.incident import Alert, Incident
from monitor.machine import AlertPolicy, AlertState, Escalation, NotificationKind, Phase
from monitor.operations import Operations
from monitor.rules import nodata
from monitor.rules.memory import IntentMemory, Memory
from monitor.rules.policy import RulesPolicy
from monitor.store import AlertChanges, Baseline, Store
from monitor.suppression import windows_of
from monitor.verdict import Finding, Severity, Verdict
from tests.fixtures.checking import BAD, BOTH, Checking
from tests.parties import T0, Clock

SCOPE = "shop/overall"
HOME = Surroundings(app="app", environment="prod", base_url=None)
HOUR = timedelta(hours=1)
ALL_RULES = RulesPolicy()
BREACH = Verdict(scope=SCOPE, rule="quality", finding=Finding.BREACH, severity=Severity.CRITICAL, reason="average 0.30")


class Alerting:
    """One scope with an alert that can be opened, and what was put into the outbox."""

    def __init__(self, store: Store, rules: RulesPolicy | None = ALL_RULES) -> None:
        self.store, self.clock = store, Clock()
        self.policy = AlertPolicy.everywhere("slack")
        self.operations = Operations(
            store=store,
            policy_of=lambda _: self.policy,
            rules_of=lambda _: rules,
            surroundings=HOME,
            now=self.clock,
        )

    def open(self, *verdicts: Verdict) -> Incident:
        known = Known(state=self.store.alert_state(SCOPE))
        policy = replace(self.policy, windows=windows_of(SCOPE, self.store.silences(lasting_at=self.clock())))
        self.store.change_alerts(changes_of(verdicts or [BREACH], known, policy, HOME, self.clock()))
        (incident,) = self.store.incidents(open_only=True)
        return incident

    @property
    def state(self) -> AlertState:
        return self.store.alert_state(SCOPE)

    @property
    def told(self) -> list[NotificationKind]:
        return [message.kind for message in self.store.notifications()]


@pytest.fixture
def alerting(sqlite_store: Store) -> Alerting:
    return Alerting(sqlite_store)


def test_an_incident_that_is_taken_is_not_reminded_of_until_that_lapses(alerting: Alerting) -> None:
    incident = alerting.open()
    taken = alerting.operations.acknowledge(incident.id, by="ops", lasting=8 * HOUR)
    assert taken.acked_by == "ops"
    alerting.clock.at += 5 * HOUR
    assert alerting.operations.tick() == 0
    alerting.clock.at += 4 * HOUR
    alerting.operations.tick()
    assert alerting.told == [NotificationKind.OPEN, NotificationKind.ACK, NotificationKind.REMINDER]


def test_an_incident_is_closed_by_hand_and_its_channels_hear_of_it(alerting: Alerting) -> None:
    incident = alerting.open()
    closed = alerting.operations.resolve(incident.id, by="ops", reason="known")
    assert closed.closed_at is not None
    assert closed.close_reason == "resolved by ops: known"
    assert alerting.told == [NotificationKind.OPEN, NotificationKind.RESOLVE]


def test_what_people_did_is_recorded(alerting: Alerting) -> None:
    incident = alerting.open()
    alerting.operations.acknowledge(incident.id, by="ops", lasting=HOUR)
    alerting.operations.resolve(incident.id, by="ops", reason="known")
    entries = alerting.store.audit()
    assert [(e.action, e.actor, e.subject) for e in entries] == [
        ("incident.resolve", "ops", incident.id),
        ("incident.ack", "ops", incident.id),
    ]


def test_an_incident_that_is_not_open_cannot_be_acted_on(alerting: Alerting) -> None:
    incident = alerting.open()
    alerting.operations.resolve(incident.id, by="ops", reason="")
    with pytest.raises(NotThere, match="is closed already"):
        alerting.operations.acknowledge(incident.id, by="ops", lasting=HOUR)
    with pytest.raises(NotThere, match="is not there"):
        alerting.operations.resolve("nobody", by="ops", reason="")


def test_what_opens_in_a_silence_is_told_when_that_is_taken_back(alerting: Alerting) -> None:
    clock = alerting.clock
    quiet = alerting.operations.silence("shop/*", by="ops", reason="x", starts_at=clock.at, ends_at=clock.at + HOUR)
    alerting.open()
    assert alerting.told == []
    alerting.operations.expire(quiet.id, by="ops")
    assert alerting.told == [NotificationKind.OPEN]


def test_what_opens_in_a_silence_is_told_when_that_is_over(alerting: Alerting) -> None:
    clock = alerting.clock
    alerting.operations.silence("*", by="ops", reason="x", starts_at=clock.at, ends_at=clock.at + HOUR)
    alerting.open()
    assert alerting.operations.tick() == 0
    clock.at += HOUR
    assert alerting.operations.tick() == 1
    assert alerting.told == [NotificationKind.OPEN]


def test_a_silence_of_other_scopes_keeps_nobody_from_being_told(alerting: Alerting) -> None:
    clock = alerting.clock
    alerting.operations.silence("office/*", by="ops", reason="x", starts_at=clock.at, ends_at=clock.at + HOUR)
    alerting.open()
    assert alerting.operations.tick() == 0
    assert alerting.state.suppressed_by is None


def test_a_silence_that_is_not_there_cannot_be_ended(alerting: Alerting) -> None:
    with pytest.raises(NotThere, match="silence list"):
        alerting.operations.expire("nobody", by="ops")


@pytest.mark.parametrize("rules", [None, RulesPolicy(quality=None)])
def test_what_is_watched_no_more_is_closed_and_told(sqlite_store: Store, rules: RulesPolicy | None) -> None:
    alerting = Alerting(sqlite_store, rules)
    alerting.open()
    assert alerting.operations.retire() == 1
    assert alerting.state.phase is Phase.RESOLVING
    assert alerting.told == [NotificationKind.OPEN, NotificationKind.RESOLVE]


def test_what_a_check_may_still_bring_up_is_closed_later(sqlite_store: Store) -> None:
    alerting = Alerting(sqlite_store, None)
    alerting.open()
    assert alerting.operations.retire(spared=["shop"]) == 0
    assert alerting.operations.retire(spared=["other"]) == 1


def test_what_is_watched_still_stays_open(alerting: Alerting) -> None:
    alerting.open()
    assert alerting.operations.retire() == 0


REGRESSION = replace(BREACH, rule="regression", severity=Severity.WARNING, reason="average fell")


def learned(store: Store, *, epoch: str = "e1", version: int = 1, hours: int = 0) -> Baseline:
    memory = Memory(
        intents={"print-1": IntentMemory(intent_id="returns", checks=42)},
        good={"quality": 1, "regression": 1},
        breached=frozenset({"quality", "regression"}),
        is_rise_told=True,
    )
    baseline = Baseline(suite="shop", epoch=epoch, version=version, at=T0 + hours * HOUR, memory=memory)
    store.rebaseline(baseline, AlertChanges())
    return baseline


def test_a_baseline_that_is_taken_anew_leaves_what_does_not_depend_on_it(alerting: Alerting) -> None:
    learned(alerting.store)
    after = alerting.operations.rebaseline("shop", by="ops", reason="new model")
    assert after.memory == Memory(good={"quality": 1}, breached=frozenset({"quality"}))
    assert alerting.store.baseline("shop", "e1") == after
    (entry,) = alerting.store.audit()
    assert (entry.actor, entry.action, entry.subject) == ("ops", "baseline.restart", "shop")
    assert entry.detail == "epoch e1: new model"


def test_the_newest_epoch_is_the_one_that_is_taken_anew(alerting: Alerting) -> None:
    old = learned(alerting.store)
    learned(alerting.store, epoch="e2", hours=4)
    assert alerting.operations.rebaseline("shop", by="ops", reason="").epoch == "e2"
    assert alerting.store.baseline("shop", "e1") == old


def test_what_was_found_by_the_old_baseline_is_closed_and_told(alerting: Alerting) -> None:
    learned(alerting.store)
    incident = alerting.open(REGRESSION)
    alerting.operations.rebaseline("shop", by="ops", reason="")
    closed = alerting.store.incident(incident.id)
    assert closed is not None
    assert closed.close_reason == "closed: new baseline"
    assert alerting.told == [NotificationKind.OPEN, NotificationKind.RESOLVE]


def test_what_another_rule_found_stays_open(alerting: Alerting) -> None:
    learned(alerting.store)
    incident = alerting.open(REGRESSION, BREACH)
    alerting.operations.rebaseline("shop", by="ops", reason="")
    assert [breach.rule for breach in alerting.state.breaches] == ["quality"]
    assert alerting.store.incidents(open_only=True)[0].id == incident.id


@pytest.mark.parametrize(("suite", "why"), [("office", "no baseline yet"), ("nowhere", "there is no suite nowhere")])
def test_without_a_baseline_there_is_nothing_to_take_anew(sqlite_store: Store, suite: str, why: str) -> None:
    alerting = Alerting(sqlite_store)
    watched = {"shop/overall", "office/overall"}
    operations = replace(alerting.operations, rules_of=lambda scope: ALL_RULES if scope in watched else None)
    with pytest.raises(NotThere, match=why):
        operations.rebaseline(suite, by="ops", reason="")
    assert alerting.store.audit() == []


def test_an_ack_is_for_the_incident_that_was_seen_not_for_the_next_one(alerting: Alerting) -> None:
    seen = alerting.open()
    rival = replace(alerting.operations, now=Clock(T0 + HOUR))

    looks = 0

    def meanwhile() -> datetime:
        nonlocal looks
        looks += 1
        if looks == 2:  # the incident was found open, its alert is about to be read
            rival.resolve(seen.id, by="other", reason="")
            alerting.open()
        return T0 + 2 * HOUR

    with pytest.raises(OverAlready):
        replace(alerting.operations, now=meanwhile).acknowledge(seen.id, by="ops", lasting=HOUR)
    assert alerting.state.acked_by is None


def test_a_verdict_that_no_check_made_opens_once_and_ends_only_what_it_is_about(alerting: Alerting) -> None:
    other = replace(BREACH, rule="nodata", finding=Finding.RECOVERED, reason="a valid check came")
    assert [alerting.operations.judge([BREACH]) for _ in range(2)] == [1, 0]
    assert alerting.operations.judge([other]) == 0
    assert alerting.operations.judge([replace(BREACH, finding=Finding.UNKNOWN)]) == 0
    assert alerting.operations.judge([replace(BREACH, finding=Finding.RECOVERED, reason="good")]) == 1
    assert alerting.told == [NotificationKind.OPEN, NotificationKind.RESOLVE]


def operating_on(checking: Checking, **changes: object) -> Operations:
    """What time and people do to the alerts of those checks."""
    policy = replace(BOTH, **changes)  # type: ignore[arg-type]
    decision = checking.check().decision
    return Operations(
        store=checking.store,
        policy_of=lambda _: policy,
        rules_of=lambda _: decision.rules,
        surroundings=decision.surroundings,
        now=checking.clock,
    )


def evidence(alert: Alert) -> tuple[object, ...]:
    return tuple(getattr(alert, name) for name in (*MEASURED, *WORST))


async def test_who_is_told_later_gets_the_evidence_of_those_who_were_told_first(checking: Checking) -> None:
    operations = operating_on(checking, escalations=(Escalation(after=HOUR, channels=("boss",)),))
    await checking.run()
    checking.answers(BAD)
    await checking.run()
    checking.clock.at += 5 * HOUR
    operations.tick()
    (first, _, *later) = (row.alert for row in checking.store.notifications())
    assert first.check_id is not None
    assert first.worst_conversations
    assert len(later) == 3, "two reminders and an open"
    assert {evidence(alert) for alert in later} == {evidence(first)}


async def test_what_is_told_after_a_silence_has_the_evidence_of_the_newest_check(checking: Checking) -> None:
    operations, clock = operating_on(checking), checking.clock
    await checking.run()
    quiet = operations.silence("s/*", by="ops", reason="x", starts_at=clock.at, ends_at=clock.at + HOUR)
    checking.answers(BAD)
    for _ in range(2):
        check = await checking.run()
    assert checking.store.notifications() == []
    operations.expire(quiet.id, by="ops")
    alert = checking.store.notifications()[0].alert
    assert (alert.check_id, alert.average, alert.threshold) == (check.id, 0.0, 0.7)
    assert [worst.before for worst in alert.worst_intents] == [1.0, 1.0]
    assert len(alert.worst_conversations) == 2


async def test_an_end_that_no_check_made_tells_what_was_measured_last(checking: Checking) -> None:
    checking.answers(BAD)
    check = await checking.run()
    (incident,) = checking.store.incidents()
    operating_on(checking).resolve(incident.id, by="ops", reason="known")
    alert = checking.store.notifications()[-1].alert
    assert (alert.check_id, alert.average, alert.worst_intents) == (check.id, 0.0, ())


async def test_what_no_check_found_has_no_evidence_of_checks_before_it(checking: Checking) -> None:
    await checking.run()
    operations = operating_on(checking)
    operations.judge([nodata.judge("s", 10.0, nodata.Patience(limit_seconds=9.0, check_seconds=1.0), None)])
    checking.clock.at += 5 * HOUR
    operations.tick()
    assert {row.alert.check_id for row in checking.store.notifications()} == {None}
