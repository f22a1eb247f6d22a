"""Lists of what is stored, newest first, in parts: each begins after a place in the order, so that new rows move none.

No list reads turns or items.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import JSON, Connection, RowMapping, desc, or_, select, type_coerce

from monitor.audit import AuditEntry
from monitor.check import CheckRecord, CheckStatus, CheckSummary, Purpose, Trigger
from monitor.incident import Incident
from monitor.store import conversation_list
from monitor.store.conversation_list import ConversationEntry, ConversationsWanted
from monitor.store.database import Database
from monitor.store.places import Order, Part, Place, Span, part_of
from monitor.store.rows import value_from
from monitor.store.tables import audit, check, incident, silence
from monitor.suppression import Silence

_SUMMARY = TypeAdapter(CheckSummary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deeds:
    """One part of what people did; `next` is the number after which the list goes on, None at its end."""

    rows: tuple[AuditEntry, ...]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksWanted:
    """Which checks; None means all. `started` is when they began."""

    suite: str | None = None
    status: CheckStatus | None = None
    epoch: str | None = None
    trigger: Trigger | None = None
    purpose: Purpose | None = None
    started: Span = field(default_factory=Span)


class Lists:
    """The lists of one database. Each method is one transaction and raises what a store's methods raise."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def checks(self, wanted: ChecksWanted, *, after: Place | None = None, limit: int) -> Part[CheckRecord]:
        """Checks by when they began, their summaries without the intents."""
        return self._database.read(_checks, wanted, after, limit)

    def conversations(
        self, wanted: ConversationsWanted, *, after: Place | None = None, limit: int
    ) -> Part[ConversationEntry]:
        """Conversations by when they ended."""
        return self._database.read(conversation_list.load, wanted, after, limit)

    def incidents(
        self, *, is_open: bool | None = None, opened: Span | None = None, after: Place | None = None, limit: int
    ) -> Part[Incident]:
        """Incidents by when they were opened: open ones, closed ones, or both."""
        return self._database.read(_incidents, is_open, opened or Span(), after, limit)

    def silences(self, *, lasting_at: datetime | None = None, after: Place | None = None, limit: int) -> Part[Silence]:
        """Silences by when they start; with `lasting_at` only those that are not over then, begun or not."""
        return self._database.read(_silences, lasting_at, after, limit)

    def audit(self, *, after: int | None = None, limit: int) -> Deeds:
        """What people did, by the order in which it was recorded."""
        return self._database.read(_audit, after, limit)


def _checks(connection: Connection, wanted: ChecksWanted, after: Place | None, limit: int) -> Part[CheckRecord]:
    order = Order(at=check.c.started_at, id=check.c.id)
    names = ("suite", "status", "epoch", "trigger", "purpose")
    equal = [check.c[name] == getattr(wanted, name) for name in names if getattr(wanted, name) is not None]
    others = (column for column in check.c if column.name != "summary")
    query = select(*others, type_coerce(check.c.summary, JSON()).label("summary"))
    query = query.where(*equal, *order.within(wanted.started, after)).order_by(*order.newest())
    found = [_check(row) for row in connection.execute(query.limit(limit + 1)).mappings()]
    return part_of(found, limit, lambda last: Place(at=last.started_at, id=last.id))


def _check(row: RowMapping) -> CheckRecord:
    """Most of a summary is its intents; to make values of hundreds of each check's takes a second."""
    numbers = row["summary"]
    summary = None if numbers is None else _SUMMARY.validate_python({**numbers, "intents": ()})
    return value_from(CheckRecord, {**row, "summary": summary})


def _incidents(
    connection: Connection, is_open: bool | None, opened: Span, after: Place | None, limit: int
) -> Part[Incident]:
    order = Order(at=incident.c.opened_at, id=incident.c.id)
    state = {None: [], True: [incident.c.closed_at.is_(None)], False: [incident.c.closed_at.is_not(None)]}[is_open]
    query = select(incident).where(*state, *order.within(opened, after)).order_by(*order.newest())
    found = [value_from(Incident, row) for row in connection.execute(query.limit(limit + 1)).mappings()]
    return part_of(found, limit, lambda last: Place(at=last.opened_at, id=last.id))


def _silences(connection: Connection, lasting_at: datetime | None, after: Place | None, limit: int) -> Part[Silence]:
    order = Order(at=silence.c.starts_at, id=silence.c.id)
    lasting = []
    if lasting_at is not None:
        is_kept = or_(silence.c.expired_at.is_(None), silence.c.expired_at > lasting_at)
        lasting = [silence.c.ends_at > lasting_at, is_kept]
    query = select(silence).where(*lasting, *order.within(Span(), after)).order_by(*order.newest())
    found = [value_from(Silence, row) for row in connection.execute(query.limit(limit + 1)).mappings()]
    return part_of(found, limit, lambda last: Place(at=last.starts_at, id=last.id))


def _audit(connection: Connection, after: int | None, limit: int) -> Deeds:
    earlier = [] if after is None else [audit.c.sequence < after]
    query = select(audit).where(*earlier).order_by(desc(audit.c.sequence)).limit(limit + 1)
    rows = connection.execute(query).mappings().all()
    shown = rows[:limit]
    goes_on = shown[-1]["sequence"] if len(rows) > limit else None
    return Deeds(rows=tuple(value_from(AuditEntry, row) for row in shown), next=goes_on)
