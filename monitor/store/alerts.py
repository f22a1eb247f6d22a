"""Alert states, versioned so that no step of the machine is lost, and the incidents that they open and close."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, desc, select, update

from monitor.errors import StaleWrite
from monitor.incident import Incident
from monitor.machine import AlertState
from monitor.store.inserting import insert_once
from monitor.store.rows import value_from, values_of
from monitor.store.tables import alert_state, incident


def save_state(connection: Connection, state: AlertState) -> None:
    """Write the next version of a state. Raises StaleWrite when the stored one is not the version before it."""
    if state.version == 1 and insert_once(connection, alert_state, values_of(state)):
        return
    before = and_(alert_state.c.scope == state.scope, alert_state.c.version == state.version - 1)
    if connection.execute(update(alert_state).where(before).values(**values_of(state))).rowcount != 1:
        raise StaleWrite(f"the alert of {state.scope} moved on since it was read")


def save_state_once(connection: Connection, state: AlertState) -> None:
    """Write the next version of a state, unless just this was written already."""
    if load_state(connection, state.scope) != state:
        save_state(connection, state)


def load_state(connection: Connection, scope: str) -> AlertState:
    """The state of a scope; a fresh one when nothing is stored."""
    row = connection.execute(select(alert_state).where(alert_state.c.scope == scope)).mappings().one_or_none()
    return value_from(AlertState, row) if row else AlertState(scope=scope)


def states(connection: Connection) -> list[AlertState]:
    """Every stored state, by scope."""
    rows = connection.execute(select(alert_state).order_by(alert_state.c.scope)).mappings()
    return [value_from(AlertState, row) for row in rows]


def open_incident(connection: Connection, opened: Incident) -> None:
    """Write a new incident. Raises StaleWrite when its scope has an open one, or its id is taken."""
    if not insert_once(connection, incident, values_of(opened)):
        raise StaleWrite(f"{opened.scope} has an open incident already")


def close_incident(connection: Connection, closed: Incident) -> None:
    """Write the end of an open incident. Raises StaleWrite when it is not open."""
    is_open = and_(incident.c.id == closed.id, incident.c.closed_at.is_(None))
    end = {name: getattr(closed, name) for name in ("closed_at", "closed_by_check", "close_reason")}
    if connection.execute(update(incident).where(is_open).values(**end)).rowcount != 1:
        raise StaleWrite(f"incident {closed.id} is not open")


def update_incident(connection: Connection, changed: Incident) -> None:
    """Write what changed of an open incident. Raises StaleWrite when it is not open."""
    is_open = and_(incident.c.id == changed.id, incident.c.closed_at.is_(None))
    now = {name: getattr(changed, name) for name in ("rule", "severity", "reason", "acked_by", "acked_until")}
    if connection.execute(update(incident).where(is_open).values(**now)).rowcount != 1:
        raise StaleWrite(f"incident {changed.id} is not open")


def load_incident(connection: Connection, incident_id: str) -> Incident | None:
    """One incident."""
    return next(iter(_incidents(connection, incident.c.id == incident_id, limit=1)), None)


def incidents(connection: Connection, *, open_only: bool, limit: int) -> list[Incident]:
    """The newest incidents, newest first."""
    wanted = [incident.c.closed_at.is_(None)] if open_only else []
    return _incidents(connection, *wanted, limit=limit)


def _incidents(connection: Connection, *wanted: ColumnElement[bool], limit: int) -> list[Incident]:
    query = select(incident).where(*wanted).order_by(desc(incident.c.opened_at), desc(incident.c.id)).limit(limit)
    return [value_from(Incident, row) for row in connection.execute(query).mappings()]
