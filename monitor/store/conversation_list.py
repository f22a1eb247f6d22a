"""The list of conversations. It reads neither turns nor items, and walks over at most `MOST_SEEN` rows of an index.

Where few conversations are wanted of many, a part holds fewer than were asked for, or none, and says where to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Subquery,
    and_,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from monitor.score import PASS_SCORE
from monitor.store.criticals import has_failed_critical
from monitor.store.places import Order, Part, Place, Span, part_of
from monitor.store.tables import check, conversation
from monitor.transcript import EndReason, Fault, Outcome

MOST_SEEN, STEP = 10_000, 1_000
_FAILED = tuple(outcome for outcome in Outcome if outcome.fault is Fault.ASSISTANT)

Columns: TypeAlias = ReadOnlyColumnCollection[str, Any]
Filter = Callable[[Columns], ColumnElement[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationsWanted:
    """Which conversations; None means all. `finished` is when they ended; `least` and `most` are of what counts in the
    mean: 0 for the assistant's errors.
    """

    suite: str | None = None
    check_id: str | None = None
    intent_id: str | None = None
    persona: str | None = None
    outcome: Outcome | None = None
    passed: bool | None = None
    least: float | None = None
    most: float | None = None
    finished: Span = field(default_factory=Span)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationEntry:
    """A conversation without its turns and items. `value` is what counts in the mean: 0 for the assistant's errors,
    None where it says nothing about the assistant; `passed` is None there too.
    """

    id: str
    suite: str
    check_id: str
    intent_id: str
    persona: str | None
    round: int
    attempt: int
    epoch: str
    outcome: Outcome
    end: EndReason
    detail: str
    started_at: datetime
    finished_at: datetime
    score: float | None
    score_reason: str
    value: float | None
    passed: bool | None


def load(
    connection: Connection, wanted: ConversationsWanted, after: Place | None, limit: int
) -> Part[ConversationEntry]:
    """One part of the list."""
    filters = _filters(wanted)
    # Without further conditions every row that is walked over is shown.
    step = STEP if filters else limit + 1
    found: list[ConversationEntry] = []
    for _ in range(MOST_SEEN // STEP):
        seen = _seen(wanted, after, step)
        found += _entries(connection, _chosen(seen, filters, limit + 1 - len(found)))
        if len(found) > limit or (after := _end_of(connection, seen, step)) is None:
            break
    part = part_of(found, limit, lambda last: Place(at=last.finished_at, id=last.id))
    return part if len(found) > limit else Part(rows=part.rows, next=after)


def _seen(wanted: ConversationsWanted, after: Place | None, most: int) -> Subquery:
    """The rows that are walked over: what an index leads to, in order."""
    talk = conversation.c
    order = Order(at=talk.finished_at, id=talk.id)
    led_by = {"check_id": wanted.check_id, "intent_id": wanted.intent_id}
    led = [talk[name] == given for name, given in led_by.items() if given is not None]
    columns = (talk[name] for name in ("id", "finished_at", "check_id", "persona", "outcome", "score"))
    query = select(*columns).where(*led, *order.within(wanted.finished, after))
    return query.order_by(*order.newest()).limit(most).subquery("seen")


def _filters(wanted: ConversationsWanted) -> list[Filter]:
    """The conditions that no index carries."""
    return [make(given) for name, make in _FILTERS.items() if (given := getattr(wanted, name)) is not None]


def _chosen(seen: Subquery, filters: Sequence[Filter], most: int) -> Select[tuple[str]]:
    """The ids of those that are wanted."""
    order = Order(at=seen.c.finished_at, id=seen.c.id)
    wanted = [condition(seen.c) for condition in filters]
    return select(seen.c.id).where(*wanted).order_by(*order.newest()).limit(most)


def _entries(connection: Connection, chosen: Select[tuple[str]]) -> list[ConversationEntry]:
    talk = conversation.c
    order = Order(at=talk.finished_at, id=talk.id)
    columns = [talk[field.name] for field in fields(ConversationEntry) if field.name in talk]
    query = select(*columns, check.c.suite, _is_passed(talk).label("passed")).join(check, check.c.id == talk.check_id)
    query = query.where(talk.id.in_(chosen.subquery().select())).order_by(*order.newest())
    return [_entry(row) for row in connection.execute(query).mappings()]


def _end_of(connection: Connection, seen: Subquery, most: int) -> Place | None:
    """The last place that was walked over, where that was as far as it goes; None at the end of the list."""
    columns = (seen.c.finished_at, seen.c.id, func.count().over().label("walked"))
    last = connection.execute(select(*columns).order_by(seen.c.finished_at, seen.c.id).limit(1)).one_or_none()
    return None if last is None or last.walked < most else Place(at=last.finished_at, id=last.id)


def _entry(row: RowMapping) -> ConversationEntry:
    is_failure = row["outcome"] in _FAILED
    value = 0.0 if is_failure else row["score"]
    passed = None if value is None else bool(row["passed"]) and not is_failure
    return ConversationEntry(**{**row, "value": value, "passed": passed})


def _is_passed(talk: Columns) -> ColumnElement[bool]:
    """What `Score.passed` says of a conversation that was scored."""
    return and_(talk.score >= PASS_SCORE, ~has_failed_critical(talk.id))


def _passed(wanted: bool) -> Filter:
    def condition(talk: Columns) -> ColumnElement[bool]:
        is_failure = talk.outcome.in_(_FAILED)
        if wanted:
            return and_(~is_failure, _is_passed(talk))
        return or_(is_failure, and_(talk.score.is_not(None), ~_is_passed(talk)))

    return condition


def _value(talk: Columns) -> ColumnElement[Any]:
    return case((talk.outcome.in_(_FAILED), 0.0), else_=talk.score)


def _of_suite(suite: str) -> Filter:
    return lambda talk: talk.check_id.in_(select(check.c.id).where(check.c.suite == suite))


_FILTERS: Mapping[str, Callable[[Any], Filter]] = {
    "suite": _of_suite,
    "persona": lambda persona: lambda talk: talk.persona == persona,
    "outcome": lambda outcome: lambda talk: talk.outcome == outcome,
    "passed": _passed,
    "least": lambda least: lambda talk: _value(talk) >= least,
    "most": lambda most: lambda talk: _value(talk) <= most,
}
