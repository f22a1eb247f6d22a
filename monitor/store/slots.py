"""Who runs a suite's check at which time: one row per slot, with a lease, and a version that fences off sleepers."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, select, update

from monitor.check import CheckStatus, Slot
from monitor.errors import StaleWrite
from monitor.store import checks
from monitor.store.inserting import insert_once
from monitor.store.rows import value_from, values_of
from monitor.store.tables import SlotState, schedule_slot

ATTEMPTS = 2


def claim(
    connection: Connection, wanted: Slot, *, claim_id: str, now: datetime, second_attempt_grace: timedelta
) -> Slot | None:
    """Take a free slot, or for the second time one that was lost; None when it is another's, done or too old.

    `claim_id` is new for each call, so that a claim whose commit was not answered knows itself again.
    """
    held = {"state": SlotState.HELD, "claim": claim_id}
    if insert_once(connection, schedule_slot, values_of(wanted) | held):
        return wanted
    row = connection.execute(select(schedule_slot).where(_is(wanted)).with_for_update()).mappings().one()
    if row["claim"] == claim_id:
        return value_from(Slot, row)
    if not _is_lost(row, now) or row["attempt"] >= ATTEMPTS or now - wanted.at > second_attempt_grace:
        return None
    again = {"attempt": row["attempt"] + 1, "version": row["version"] + 1}
    values = {"owner": wanted.owner, "lease_until": wanted.lease_until, **again, **held}
    connection.execute(update(schedule_slot).where(_is(wanted)).values(**values))
    checks.abort_slot(connection, wanted.suite, wanted.at)
    return value_from(Slot, {**row, **values})


def renew(connection: Connection, slot: Slot, *, lease_until: datetime) -> Slot:
    """Move the end of the lease. Raises StaleWrite when the slot was taken over."""
    fence(connection, slot)
    statement = update(schedule_slot).where(_is(slot)).values(lease_until=lease_until)
    connection.execute(statement)
    return value_from(Slot, values_of(slot) | {"lease_until": lease_until})


def finish(connection: Connection, slot: Slot, status: CheckStatus) -> None:
    """Mark the slot as done, or as aborted. Raises StaleWrite when it was taken over."""
    fence(connection, slot)
    state = SlotState.ABORTED if status is CheckStatus.ABORTED else SlotState.DONE
    connection.execute(update(schedule_slot).where(_is(slot)).values(state=state))


def give_up(connection: Connection, slot: Slot) -> bool:
    """Take the slot from an owner that is gone, and fence it off; False when it moved meanwhile."""
    unmoved = and_(_is(slot), schedule_slot.c.version == slot.version, schedule_slot.c.lease_until == slot.lease_until)
    values = {"state": SlotState.ABORTED, "version": slot.version + 1}
    return connection.execute(update(schedule_slot).where(unmoved).values(**values)).rowcount == 1


def fence(connection: Connection, slot: Slot) -> None:
    """Hold the slot's row until the end of the transaction. Raises StaleWrite when it was taken over."""
    columns = select(schedule_slot.c.version, schedule_slot.c.owner)
    row = connection.execute(columns.where(_is(slot)).with_for_update()).one_or_none()
    if row is None or row.version != slot.version or row.owner != slot.owner:
        raise StaleWrite(f"the slot of {slot.suite} at {slot.at.isoformat()} was taken over")


def load(connection: Connection, suite: str, at: datetime) -> Slot | None:
    """One slot."""
    wanted = and_(schedule_slot.c.suite == suite, schedule_slot.c.at == at)
    row = connection.execute(select(schedule_slot).where(wanted)).mappings().one_or_none()
    return value_from(Slot, row) if row else None


def last(connection: Connection, suite: str) -> datetime | None:
    """The newest time that was claimed."""
    return connection.execute(select(func.max(schedule_slot.c.at)).where(schedule_slot.c.suite == suite)).scalar()


def newest(connection: Connection, suite: str, limit: int) -> list[Slot]:
    """Those that were claimed last, newest first."""
    wanted = select(schedule_slot).where(schedule_slot.c.suite == suite)
    rows = connection.execute(wanted.order_by(schedule_slot.c.at.desc()).limit(limit)).mappings()
    return [value_from(Slot, row) for row in rows]


def _is(slot: Slot) -> ColumnElement[bool]:
    return and_(schedule_slot.c.suite == slot.suite, schedule_slot.c.at == slot.at)


def _is_lost(row: RowMapping, now: datetime) -> bool:
    ran_out = row["state"] is SlotState.HELD and row["lease_until"] <= now
    return ran_out or row["state"] is SlotState.ABORTED
