"""What the rules remember of a suite within an epoch, versioned so that no check's lesson is lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, desc, select, update

from monitor.errors import StaleWrite
from monitor.rules.memory import Memory
from monitor.store.inserting import insert_once
from monitor.store.rows import value_from, values_of
from monitor.store.tables import baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The memory of a suite's rules under one epoch; `version` 0: nothing is stored yet."""

    suite: str
    epoch: str
    version: int
    at: datetime
    memory: Memory


def load(connection: Connection, suite: str, epoch: str) -> Baseline | None:
    """What is remembered."""
    row = connection.execute(select(baseline).where(_is(suite, epoch))).mappings().one_or_none()
    return value_from(Baseline, row) if row else None


def newest(connection: Connection, suite: str) -> Baseline | None:
    """What is remembered under the suite's newest epoch."""
    query = select(baseline).where(baseline.c.suite == suite).order_by(desc(baseline.c.at)).limit(1)
    row = connection.execute(query).mappings().one_or_none()
    return value_from(Baseline, row) if row else None


def save(connection: Connection, after: Baseline) -> None:
    """Write the next version. Raises StaleWrite when the stored one is not the version before it."""
    if after.version == 1 and insert_once(connection, baseline, values_of(after)):
        return
    before = and_(_is(after.suite, after.epoch), baseline.c.version == after.version - 1)
    if connection.execute(update(baseline).where(before).values(**values_of(after))).rowcount != 1:
        raise StaleWrite(f"the baseline of {after.suite} moved on since it was read")


def _is(suite: str, epoch: str) -> ColumnElement[bool]:
    return and_(baseline.c.suite == suite, baseline.c.epoch == epoch)
