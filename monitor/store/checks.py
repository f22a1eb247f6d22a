"""The rows of checks: opened, read, aborted. How one is closed is told in `closing`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, desc, select, update

from monitor.check import CheckRecord, CheckStatus, Purpose, Trigger
from monitor.errors import StaleWrite
from monitor.store import counters, tables
from monitor.store.inserting import insert_once
from monitor.store.lock import process_name
from monitor.store.rows import value_from, values_of
from monitor.verdict import Verdict

ALERTING = (Trigger.SCHEDULE, Trigger.ALERTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFilter:
    """Which checks are wanted; None means all. Those of studies never are: they are no part of a suite's course."""

    suite: str | None = None
    statuses: Collection[CheckStatus] | None = None
    before: datetime | None = None
    epoch: str | None = None
    alerting_only: bool = False

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same in SQL."""
        check = tables.check.c
        wanted = [
            None if self.suite is None else check.suite == self.suite,
            None if self.statuses is None else check.status.in_(self.statuses),
            None if self.before is None else check.started_at < self.before,
            None if self.epoch is None else check.epoch == self.epoch,
            check.trigger.in_(ALERTING) if self.alerting_only else None,
            check.purpose == Purpose.WATCH,
        ]
        return [condition for condition in wanted if condition is not None]


def insert(connection: Connection, check: CheckRecord) -> None:
    """Write a new check. Raises StaleWrite when its id is taken by another process."""
    values = values_of(check) | {"process": process_name()}
    if not insert_once(connection, tables.check, values):
        owner = connection.execute(select(tables.check.c.process).where(tables.check.c.id == check.id)).scalar()
        if owner != process_name():
            raise StaleWrite(f"check {check.id} is another's")


def running_suite(connection: Connection, check_id: str) -> tuple[str, Purpose]:
    """The suite of a check that runs and what for, held until the end of the transaction. Raises StaleWrite when it is
    over.
    """
    check = tables.check.c
    query = select(check.suite, check.purpose, check.status).where(check.id == check_id)
    row = connection.execute(query.with_for_update(read=True)).one_or_none()
    if row is None or row.status is not CheckStatus.RUNNING:
        raise StaleWrite(f"check {check_id} is not running")
    return row.suite, row.purpose


def finish(connection: Connection, check: CheckRecord) -> None:
    """Write what a running check became. Raises StaleWrite when it does not run any more."""
    running = and_(tables.check.c.id == check.id, tables.check.c.status == CheckStatus.RUNNING)
    if connection.execute(update(tables.check).where(running).values(**values_of(check))).rowcount != 1:
        raise StaleWrite(f"check {check.id} is not running")


def abort(connection: Connection, check: CheckRecord, reason: str) -> bool:
    """Mark a running check as lost; False when it was not running."""
    running = and_(tables.check.c.id == check.id, tables.check.c.status == CheckStatus.RUNNING)
    values = {"status": CheckStatus.ABORTED, "reason": reason}
    if connection.execute(update(tables.check).where(running).values(**values)).rowcount != 1:
        return False
    if check.purpose is Purpose.WATCH:
        counters.count(connection, counters.CHECKS, [(check.suite, CheckStatus.ABORTED)])
    return True


def abort_slot(connection: Connection, suite: str, slot_at: datetime) -> None:
    """Mark what still runs for a slot as lost: the slot has a new owner."""
    check = tables.check.c
    query = select(tables.check).where(
        check.suite == suite, check.slot_at == slot_at, check.status == CheckStatus.RUNNING
    )
    for row in connection.execute(query).mappings().all():
        abort(connection, value_from(CheckRecord, row), "its lease ran out")


def load(connection: Connection, check_id: str) -> CheckRecord | None:
    """One check."""
    row = connection.execute(select(tables.check).where(tables.check.c.id == check_id)).mappings().one_or_none()
    return value_from(CheckRecord, row) if row else None


def beginning(connection: Connection, prefix: str, limit: int) -> list[CheckRecord]:
    """The newest checks whose id begins so, newest first."""
    check = tables.check.c
    query = select(tables.check).where(check.id.startswith(prefix, autoescape=True))
    newest_first = query.order_by(desc(check.started_at), desc(check.id)).limit(limit)
    return [value_from(CheckRecord, row) for row in connection.execute(newest_first).mappings()]


def newest(connection: Connection, wanted: CheckFilter, limit: int) -> list[CheckRecord]:
    """The newest checks of the wanted kind, newest first."""
    check = tables.check.c
    query = select(tables.check).where(*wanted.conditions()).order_by(desc(check.started_at), desc(check.id))
    return [value_from(CheckRecord, row) for row in connection.execute(query.limit(limit)).mappings()]


def verdicts(connection: Connection, check_id: str) -> list[Verdict]:
    """What a check said, in the order in which it was said."""
    verdict = tables.verdict
    query = select(verdict).where(verdict.c.check_id == check_id).order_by(verdict.c.position)
    return [value_from(Verdict, row) for row in connection.execute(query).mappings()]
