"""Everything but the conversations: checks, verdicts, baselines, incidents and messages, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert

from monitor.incident import Alert, Incident, NotificationStatus
from monitor.machine import AlertState, Breach, NotificationKind, Phase
from monitor.store import alerts, baselines, counters, tables
from monitor.store.inserting import add_to
from monitor.store.rows import values_of
from monitor.store.tables import SlotState
from tests.benchmarks.store.samples import SUITE
from tests.benchmarks.store.world import MadeCheck, World

CHANNELS = ("slack", "pagerduty")


def write(connection: Connection, world: World, checks: Sequence[MadeCheck]) -> None:
    """All of a world whose checks were run through."""
    records = [made.record for made in checks]
    connection.execute(insert(tables.check), [values_of(record) | {"process": "bench"} for record in records])
    said = [
        {"check_id": made.record.id, "position": position} | values_of(verdict)
        for made in checks
        for position, verdict in enumerate(made.verdicts)
    ]
    connection.execute(insert(tables.verdict), said)
    connection.execute(insert(tables.schedule_slot), [_slot(record.slot_at) for record in records])
    for baseline in world.baselines.values():
        baselines.save(connection, baseline)
    _write_incidents(connection, list(world.incidents.values()))
    _count(connection, world, checks)


def _write_incidents(connection: Connection, incidents: Sequence[Incident]) -> None:
    if not incidents:
        return
    connection.execute(insert(tables.incident), [values_of(incident) for incident in incidents])
    connection.execute(insert(tables.notification), [row for one in incidents for row in _messages(one)])
    for one in incidents:
        if one.closed_at is None:
            alerts.save_state(connection, _firing(one))


def _slot(at: object) -> dict[str, Any]:
    held = {"owner": "bench", "version": 1, "attempt": 1, "state": SlotState.DONE, "claim": "bench"}
    return {"suite": SUITE, "at": at, "lease_until": at, **held}


def _messages(incident: Incident) -> list[dict[str, Any]]:
    """What was sent of an incident, on each channel."""
    moments = [(NotificationKind.OPEN, incident.opened_at)]
    if incident.closed_at:
        moments.append((NotificationKind.RESOLVE, incident.closed_at))
    return [
        {
            "id": f"{incident.id}-{channel}-{kind}",
            "incident_id": incident.id,
            "scope": incident.scope,
            "channel": channel,
            "kind": kind,
            "dedup_key": incident.dedup_key,
            "alert": _alert(incident),
            "status": NotificationStatus.SENT,
            "created_at": at,
            "attempts": 1,
            "sent_at": at,
            "ended_at": at,
            "last_error": "",
        }
        for kind, at in moments
        for channel in CHANNELS
    ]


def _alert(incident: Incident) -> Alert:
    return Alert(
        app="shop",
        environment="production",
        suite=SUITE,
        scope=incident.scope,
        rule=incident.rule,
        severity=incident.severity,
        dedup_key=incident.dedup_key,
        incident_id=incident.id,
        title=f"{incident.scope} got worse",
        reason=incident.reason,
        average=0.66,
        threshold=0.7,
        success_rate=0.7,
        check_id=incident.opened_by_check,
        epoch=None,
        opened_at=incident.opened_at,
        at=incident.opened_at,
    )


def _firing(incident: Incident) -> AlertState:
    breach = Breach(rule=incident.rule, severity=incident.severity, reason=incident.reason, since=incident.opened_at)
    return AlertState(
        scope=incident.scope,
        phase=Phase.FIRING,
        since=incident.opened_at,
        incident_id=incident.id,
        severity=incident.severity,
        breaches=(breach,),
        channels=CHANNELS,
        unresolved=CHANNELS,
        told_at=incident.opened_at,
        told_severity=incident.severity,
        version=1,
    )


def _count(connection: Connection, world: World, checks: Sequence[MadeCheck]) -> None:
    counters.count(connection, counters.CHECKS, [(SUITE, made.record.status) for made in checks])
    outcomes = Counter(world.samples[play.sample].transcript.outcome for made in checks for play in made.plays)
    for outcome, amount in sorted(outcomes.items()):
        key = {"name": counters.CONVERSATIONS, "labels": f'["{SUITE}", "{outcome}"]'}
        add_to(connection, tables.counter, key, "value", amount)
