"""Checks whose process is gone: found at the start, and marked as aborted so that nothing stays `running`."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, select

from monitor.check import CheckRecord, CheckStatus, Slot
from monitor.store import checks, slots, tables
from monitor.store.lock import is_dead, process_name
from monitor.store.rows import value_from

# A check without a slot has no lease, and a process of another host cannot be looked at.
LOST_AFTER = timedelta(hours=24)


def abort_lost(connection: Connection, *, now: datetime, owner: str | None, is_alone: bool) -> int:
    """Abort every running check whose lease ran out, whose process died, or whose slot `owner` held; how many.

    `is_alone`: no other daemon can be running, so whoever else holds a slot is gone.
    """
    query = select(tables.check).where(tables.check.c.status == CheckStatus.RUNNING)
    rows = connection.execute(query).mappings().all()
    return sum(_abort_if_lost(connection, row, now, owner, is_alone=is_alone) for row in rows)


def _abort_if_lost(
    connection: Connection, row: RowMapping, now: datetime, owner: str | None, *, is_alone: bool
) -> bool:
    check = value_from(CheckRecord, row)
    slot = slots.load(connection, check.suite, check.slot_at) if check.slot_at else None
    is_left = is_alone and slot is not None and row["process"] != process_name()
    if not (is_left or is_dead(row["process"]) or _ran_out(check, slot, now, owner)):
        return False
    if slot and not slots.give_up(connection, slot):
        return False
    return checks.abort(connection, check, "its process is gone")


def _ran_out(check: CheckRecord, slot: Slot | None, now: datetime, owner: str | None) -> bool:
    if slot is None:
        return now - check.started_at > LOST_AFTER
    return slot.lease_until <= now or slot.owner == owner
