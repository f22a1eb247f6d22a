"""The end of a check, in one transaction: what it was, what it says, whom that alerts, and what must be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from uuid import uuid4

from sqlalchemy import Connection, insert

from monitor.audit import AuditEntry
from monitor.check import CheckRecord, CheckStatus, Purpose, Slot
from monitor.incident import Incident
from monitor.machine import AlertState
from monitor.store import alerts, baselines, checks, counters, outbox, silences, slots, tables
from monitor.store.baselines import Baseline
from monitor.store.outbox import NotificationDraft
from monitor.store.rows import values_of
from monitor.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChanges:
    """What a step of the alert machine wants written: next versions of states, incidents, messages, and who asked."""

    states: tuple[AlertState, ...] = ()
    opened: tuple[Incident, ...] = ()
    updated: tuple[Incident, ...] = ()
    closed: tuple[Incident, ...] = ()
    notifications: tuple[NotificationDraft, ...] = ()
    audit: tuple[AuditEntry, ...] = ()


def joined(changes: Sequence[AlertChanges]) -> AlertChanges:
    """All of them as one."""
    names = [field.name for field in fields(AlertChanges)]
    return AlertChanges(**{name: tuple(part for one in changes for part in getattr(one, name)) for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing(AlertChanges):
    """A check that ended, with its verdicts, what they change in the alerts, and what the rules remember of it.

    `suggestion`: what people are told to do beside that, for the log; it is not stored.
    """

    check: CheckRecord
    slot: Slot | None = None
    verdicts: tuple[Verdict, ...] = ()
    baseline: Baseline | None = None
    suggestion: str = ""


def close(connection: Connection, closing: Closing) -> None:
    """Write all of it. Raises StaleWrite when the slot, the check or an alert is not what it was."""
    check = closing.check
    if _is_closed(connection, check):
        return
    if closing.slot:
        slots.finish(connection, closing.slot, check.status)
    checks.finish(connection, check)
    _insert_verdicts(connection, check.id, closing.verdicts)
    if closing.baseline:
        baselines.save(connection, closing.baseline)
    change_alerts(connection, closing)
    if check.purpose is Purpose.WATCH:
        counters.count(connection, counters.CHECKS, [(check.suite, check.status)])


def change_alerts(connection: Connection, changes: AlertChanges) -> None:
    """Write states, incidents and messages. Raises StaleWrite when an alert is not what it was."""
    # States come first: they make whoever else steps the same scope wait, so its messages are numbered after ours.
    for state in sorted(changes.states, key=lambda state: state.scope):
        alerts.save_state(connection, state)
    # One that changed in the step that closed it is still open to be changed.
    for incident in changes.updated:
        alerts.update_incident(connection, incident)
    for incident in changes.closed:
        alerts.close_incident(connection, incident)
    for incident in changes.opened:
        alerts.open_incident(connection, incident)
    outbox.put(connection, with_ids(changes.notifications))
    for entry in changes.audit:
        silences.record(connection, entry)


def rebaseline(connection: Connection, after: Baseline, changes: AlertChanges) -> None:
    """Write what the rules remember from now on, and what that changes in the alerts, unless it was written already.

    Raises StaleWrite when the memory or an alert is not what it was.
    """
    is_there = baselines.load(connection, after.suite, after.epoch) == after
    if not is_there or not all(silences.is_recorded(connection, entry) for entry in changes.audit):
        baselines.save(connection, after)
        change_alerts(connection, changes)


def change_alerts_once(connection: Connection, changes: AlertChanges) -> None:
    """The same, unless just this was written already: by a commit whose answer was lost."""
    # Of states alone that cannot be told: another may have moved one in the same way at the same time.
    is_there = bool(changes.states or changes.opened or changes.audit)
    is_there &= all(alerts.load_state(connection, state.scope) == state for state in changes.states)
    is_there &= all(alerts.load_incident(connection, incident.id) for incident in changes.opened)
    if not is_there or not all(silences.is_recorded(connection, entry) for entry in changes.audit):
        change_alerts(connection, changes)


def with_ids(drafts: Sequence[NotificationDraft]) -> list[tuple[str, NotificationDraft]]:
    """Each draft with a new id."""
    return [(uuid4().hex, draft) for draft in drafts]


def _is_closed(connection: Connection, check: CheckRecord) -> bool:
    """Whether this very end was written already: by a commit whose answer was lost."""
    stored = checks.load(connection, check.id)
    if stored is None or stored.status is CheckStatus.RUNNING:
        return False
    return (stored.status, stored.finished_at) == (check.status, check.finished_at)


def _insert_verdicts(connection: Connection, check_id: str, verdicts: Sequence[Verdict]) -> None:
    place = {"check_id": check_id}
    rows = [place | {"position": position} | values_of(verdict) for position, verdict in enumerate(verdicts)]
    if rows:
        connection.execute(insert(tables.verdict), rows)
