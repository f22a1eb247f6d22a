"""Runs of the canaries: the newest, and the one that later runs of an epoch are held against."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Select, delete, desc, func, select

from monitor.canary import CanaryRun
from monitor.store.inserting import insert_once
from monitor.store.rows import value_from, values_of
from monitor.store.tables import canary_run


def save(connection: Connection, run: CanaryRun) -> None:
    """Write a run, once."""
    insert_once(connection, canary_run, values_of(run))


def newest(connection: Connection, epoch: str | None = None) -> CanaryRun | None:
    """The newest run, of one epoch or of any."""
    query = select(canary_run).order_by(desc(canary_run.c.sequence))
    return _first(connection, query if epoch is None else query.where(canary_run.c.epoch == epoch))


def baseline(connection: Connection, epoch: str, fingerprint: str) -> CanaryRun | None:
    """The first run of an epoch with these canaries that raised no alarm."""
    is_wanted = (canary_run.c.epoch == epoch, canary_run.c.fingerprint == fingerprint, canary_run.c.is_sick.is_(False))
    return _first(connection, select(canary_run).where(*is_wanted).order_by(canary_run.c.sequence))


def retire(connection: Connection, *, older_than: datetime, batch: int) -> int:
    """Delete at most `batch` runs from before `older_than`; how many there were. The baseline of an epoch that is still
    in use stays.
    """
    run = canary_run.c
    baselines = select(func.min(run.sequence)).where(run.is_sick.is_(False)).group_by(run.epoch, run.fingerprint)
    in_use = select(run.epoch).where(run.at >= older_than)
    is_kept = run.sequence.in_(baselines) & run.epoch.in_(in_use)
    old = select(run.sequence).where(run.at < older_than, ~is_kept).order_by(run.sequence).limit(batch)
    return connection.execute(delete(canary_run).where(run.sequence.in_(old.subquery().select()))).rowcount


def _first(connection: Connection, query: Select[tuple[object, ...]]) -> CanaryRun | None:
    row = connection.execute(query.limit(1)).mappings().first()
    return value_from(CanaryRun, row) if row else None
