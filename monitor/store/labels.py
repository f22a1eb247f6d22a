"""People's labels of conversations, and the conversations that people may be asked to label."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import JSON, ColumnElement, Connection, RowMapping, Select, select, type_coerce

from monitor.check import Purpose
from monitor.labelling import PersonLabel, Sample
from monitor.review import UNSURE, Candidate
from monitor.score import JUDGED_KINDS, Departure
from monitor.store.criticals import has_failed_critical
from monitor.store.database import Database
from monitor.store.inserting import insert_once
from monitor.store.places import Order, Part, Place, Span, part_of
from monitor.store.rows import value_from, values_of
from monitor.store.tables import check, conversation, label, score_item

_NEWEST = Order(at=label.c.at, id=label.c.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsWanted:
    """Which labels; None means all. `given` is when."""

    conversation_id: str | None = None
    by: str | None = None
    sample: Sample | None = None
    epoch: str | None = None
    passed: bool | None = None
    given: Span = field(default_factory=Span)


class Labels:
    """Belongs to `Store`, which says what the methods raise."""

    _database: Database

    def save_label(self, given: PersonLabel) -> bool:
        """Write a label, once; False, and nothing written, where its conversation is not there any more."""
        return self._database.write(save, given)

    def labels(self, wanted: LabelsWanted, *, after: Place | None = None, limit: int) -> Part[PersonLabel]:
        """Labels by when they were given, newest first."""
        return self._database.read(load, wanted, after, limit)

    def candidates(self, ended: Span, *, limit: int) -> list[Candidate]:
        """The scored of the newest `limit` conversations that ended in a time, newest first; none of a study."""
        return self._database.read(candidates, ended, limit)


def save(connection: Connection, given: PersonLabel) -> bool:
    """Write it unless it is there. The conversation is held meanwhile, or retention could take it away between."""
    is_there = select(conversation.c.id).where(conversation.c.id == given.conversation_id).with_for_update(read=True)
    if connection.execute(is_there).first() is None:
        return False
    insert_once(connection, label, values_of(given))
    return True


def load(connection: Connection, wanted: LabelsWanted, after: Place | None, limit: int) -> Part[PersonLabel]:
    """One part of the list."""
    names = ("conversation_id", "by", "sample", "epoch", "passed")
    equal = [label.c[name] == given for name in names if (given := getattr(wanted, name)) is not None]
    query = select(label).where(*equal, *_NEWEST.within(wanted.given, after)).order_by(*_NEWEST.newest())
    found = [value_from(PersonLabel, row) for row in connection.execute(query.limit(limit + 1)).mappings()]
    return part_of(found, limit, lambda last: Place(at=last.at, id=last.id))


def candidates(connection: Connection, ended: Span, limit: int) -> list[Candidate]:
    """Neither turns nor all items are read, and of what is known of the user one word."""
    # The rows that the index leads to come first: of a monitor that scores nothing not every row is walked over.
    order = Order(at=conversation.c.finished_at, id=conversation.c.id)
    newest = select(conversation.c.id).where(*order.within(ended)).order_by(*order.newest()).limit(limit)
    query = _scored().where(conversation.c.id.in_(newest.subquery().select())).order_by(*order.newest())
    return [_candidate(row) for row in connection.execute(query).mappings()]


def _scored() -> Select[Any]:
    talk = conversation.c
    departure = type_coerce(talk.validity, JSON())["departure"].as_string()
    names = ("id", "intent_id", "epoch", "finished_at", "end", "score")
    columns = (*(talk[name] for name in names), check.c.suite, departure.label("departure"))
    columns += (
        has_failed_critical(talk.id).label("has_failed_critical"),
        _has_unsure_judge(talk.id).label("has_unsure_judge"),
    )
    return (
        select(*columns)
        .join(check, check.c.id == talk.check_id)
        .where(talk.score.is_not(None), check.c.purpose == Purpose.WATCH)
    )


def _has_unsure_judge(conversation_id: ColumnElement[str]) -> ColumnElement[bool]:
    """A value with a limit, for the reason of `has_failed_critical`."""
    item = score_item.c
    low, high = UNSURE
    unsure = (item.is_on.is_(True), item.kind.in_(sorted(JUDGED_KINDS)), item.value > low, item.value < high)
    found = select(item.position).where(item.conversation_id == conversation_id, *unsure)
    return found.limit(1).scalar_subquery().is_not(None)


def _candidate(row: RowMapping) -> Candidate:
    departure = row["departure"]
    flags = {name: bool(row[name]) for name in ("has_failed_critical", "has_unsure_judge")}
    return value_from(Candidate, {**row, **flags, "departure": Departure(departure) if departure else None})
