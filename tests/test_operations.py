"""What people and time do to alerts, on a real SQLite database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.briefing import Surroundings
from monitor.closing import Known, changes_of
from monitor.errors import NotThere
from monitor.incident import Incident
from monitor.machine import AlertPolicy, AlertState, NotificationKind, Phase
from monitor.operations import Operations
from monitor.rules.policy import RulesPolicy
from monitor.store import Store
from monitor.suppression import windows_of
from monitor.verdict import Finding, Severity, Verdict
from tests.parties import Clock

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

    def open(self) -> Incident:
        known = Known(state=self.store.alert_state(SCOPE))
        policy = replace(self.policy, windows=windows_of(SCOPE, self.store.silences(lasting_at=self.clock())))
        self.store.change_alerts(changes_of([BREACH], known, policy, HOME, self.clock()))
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


def test_what_is_watched_still_stays_open(alerting: Alerting) -> None:
    alerting.open()
    assert alerting.operations.retire() == 0
