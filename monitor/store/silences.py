"""Silences, and the record of what people did. A deed and its record are one transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, desc, insert, or_, select, update

from monitor.audit import AuditEntry
from monitor.store.inserting import insert_once
from monitor.store.rows import value_from, values_of
from monitor.store.tables import audit, silence
from monitor.suppression import Silence


def add(connection: Connection, added: Silence, entry: AuditEntry) -> None:
    """Write a silence and its record, once."""
    if insert_once(connection, silence, values_of(added)):
        record(connection, entry)


def expire(connection: Connection, silence_id: str, entry: AuditEntry) -> Silence | None:
    """End a silence at the time of its record, unless it is over by then; as it is now, None if there is none."""
    lasts = (silence.c.id == silence_id, silence.c.expired_at.is_(None), silence.c.ends_at > entry.at)
    if connection.execute(update(silence).where(*lasts).values(expired_at=entry.at)).rowcount == 1:
        record(connection, entry)
    row = connection.execute(select(silence).where(silence.c.id == silence_id)).mappings().one_or_none()
    return value_from(Silence, row) if row else None


def newest(connection: Connection, *, lasting_at: datetime | None, limit: int | None) -> list[Silence]:
    """The newest first by when they start; with `lasting_at` those only that are not over then, begun or not."""
    wanted = []
    if lasting_at is not None:
        is_kept = or_(silence.c.expired_at.is_(None), silence.c.expired_at > lasting_at)
        wanted = [silence.c.ends_at > lasting_at, is_kept]
    query = select(silence).where(*wanted).order_by(desc(silence.c.starts_at), desc(silence.c.id)).limit(limit)
    return [value_from(Silence, row) for row in connection.execute(query).mappings()]


def record(connection: Connection, entry: AuditEntry) -> None:
    """Append to the record."""
    connection.execute(insert(audit).values(**values_of(entry)))


def is_recorded(connection: Connection, entry: AuditEntry) -> bool:
    """Whether just this is in the record."""
    wanted = [audit.c[name] == value for name, value in values_of(entry).items()]
    return connection.execute(select(audit.c.sequence).where(*wanted).limit(1)).first() is not None


def recorded(connection: Connection, *, subject: str | None, limit: int) -> list[AuditEntry]:
    """The newest entries, newest first: all, or what was done to one thing."""
    wanted = [] if subject is None else [audit.c.subject == subject]
    query = select(audit).where(*wanted).order_by(desc(audit.c.sequence)).limit(limit)
    return [value_from(AuditEntry, row) for row in connection.execute(query).mappings()]


def retire(connection: Connection, *, older_than: datetime, batch: int) -> int:
    """Delete at most `batch` silences that were over before `older_than`; how many there were."""
    is_old = or_(silence.c.ends_at < older_than, silence.c.expired_at < older_than)
    old = select(silence.c.id).where(is_old).order_by(silence.c.ends_at).limit(batch)
    return connection.execute(delete(silence).where(silence.c.id.in_(old))).rowcount


def retire_record(connection: Connection, *, older_than: datetime, batch: int) -> int:
    """Delete at most `batch` entries of before `older_than`, oldest first; how many there were."""
    old = select(audit.c.sequence).where(audit.c.at < older_than).order_by(audit.c.sequence).limit(batch)
    return connection.execute(delete(audit).where(audit.c.sequence.in_(old))).rowcount
