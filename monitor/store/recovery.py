"""Checks whose process is gone: found at the start, and marked as aborted so that nothing stays `running`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, select

from monitor.check import CheckRecord, CheckStatus, Slot
from monitor.store import checks, slots, tables
from monitor.store.lock import is_dead, process_name
from monitor.store.rows import value_from

# A check without a slot has no lease, and a process of another host cannot be looked at.
LOST_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What counts as lost. `is_alone`: no other daemon can be running, so whoever else holds a slot is gone.

    `owner`: what it holds is lost, of one suite if one is named, and nothing else is looked at then. `spared`: what
    this owner holds is not lost, whatever its lease says. `trusts_leases` False: a lease that ran out says nothing,
    because nobody could renew it.
    """

    now: datetime
    is_alone: bool = False
    owner: str | None = None
    suite: str | None = None
    spared: str | None = None
    trusts_leases: bool = True

    def is_lost(self, check: CheckRecord, slot: Slot | None, process: str) -> bool:
        """Whether nobody runs this check any more."""
        if slot and slot.owner == self.spared:
            return False
        if self.suite is not None:
            return check.suite == self.suite and slot is not None and slot.owner == self.owner
        is_left = self.is_alone and slot is not None and process != process_name()
        return is_left or is_dead(process) or self._ran_out(check, slot)

    def _ran_out(self, check: CheckRecord, slot: Slot | None) -> bool:
        if slot is None:
            return self.now - check.started_at > LOST_AFTER
        return slot.owner == self.owner or (self.trusts_leases and slot.lease_until <= self.now)


def abort_lost(connection: Connection, judge: Judge) -> int:
    """Abort every running check that is lost; how many."""
    query = select(tables.check).where(tables.check.c.status == CheckStatus.RUNNING)
    rows = connection.execute(query).mappings().all()
    return sum(_abort_if_lost(connection, row, judge) for row in rows)


def _abort_if_lost(connection: Connection, row: RowMapping, judge: Judge) -> bool:
    check = value_from(CheckRecord, row)
    slot = slots.load(connection, check.suite, check.slot_at) if check.slot_at else None
    if not judge.is_lost(check, slot, row["process"]):
        return False
    if slot and not slots.give_up(connection, slot):
        return False
    return checks.abort(connection, check, "its process is gone")
