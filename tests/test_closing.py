"""What the end of a check, or of a watch, writes about an alert."""

from __future__ import annotations

from dataclasses import replace

from monitor.alert import step
from monitor.closing import Known, Surroundings, changes_of
from monitor.incident import AlertPolicy, AlertState, Incident, NotificationKind, RuleRemoved
from monitor.store import AlertChanges
from monitor.verdict import Finding, Severity, Verdict
from tests.parties import T0

POLICY = AlertPolicy(channels=("slack", "pagerduty"))
HOME = Surroundings(app="app", environment="prod", base_url=None)
BREACH = Verdict(
    scope="shop/overall", rule="mean", finding=Finding.BREACH, severity=Severity.CRITICAL, reason="average 0.30"
)
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
    changes = changes_of(RuleRemoved(), known, AlertPolicy(channels=()), HOME, T0)
    (closed,) = changes.closed
    assert (closed.closed_at, closed.close_reason) == (T0, "closed: rule removed")
    assert [(d.channel, d.kind) for d in changes.notifications] == [
        ("slack", NotificationKind.RESOLVE),
        ("pagerduty", NotificationKind.RESOLVE),
    ]
    assert {d.alert.reason for d in changes.notifications} == {"closed: rule removed"}


def test_an_event_that_moves_nothing_writes_nothing() -> None:
    known = Known(state=firing(), incident=INCIDENT)
    assert changes_of(BREACH, known, POLICY, HOME, T0, "i2") == AlertChanges()


def test_the_dedup_key_holds_names_and_nothing_that_changes() -> None:
    fresh = Known(state=AlertState(scope="shop/overall"))
    first = changes_of(BREACH, fresh, POLICY, HOME, T0, "i1")
    other = changes_of(replace(BREACH, threshold=0.9, value=0.1), fresh, POLICY, HOME, T0, "i2")
    assert {d.dedup_key for d in (*first.notifications, *other.notifications)} == {"app:prod:shop/overall"}
    assert first.opened[0] == replace(INCIDENT, opened_by_check=None)
