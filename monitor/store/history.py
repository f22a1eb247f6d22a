"""What trends and tables are drawn from: checks as points in time, and conversations as single lines.

Summaries are not read whole: a week of a large suite holds ten thousand intents, of which a page shows a few.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    and_,
    case,
    desc,
    false,
    func,
    or_,
    select,
    tuple_,
    type_coerce,
)

from monitor.check import CheckRecord, CheckStatus, Conversation, IntentSummary, Purpose, Rescored, Trigger
from monitor.incident import Incident
from monitor.score import PASS_SCORE
from monitor.store import conversations, rescores
from monitor.store.checks import ALERTING
from monitor.store.criticals import has_failed_critical
from monitor.store.rows import value_from
from monitor.store.summary_numbers import NUMBERS, with_numbers
from monitor.store.tables import check, conversation, incident
from monitor.transcript import EndReason, Fault, Outcome

_CHECK_FIELDS = ("id", "suite", "trigger", "status", "epoch", "started_at", "finished_at", "reason", "planned")
_INTENT_FIELDS = tuple(field.name for field in fields(IntentSummary))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckPoint:
    """One check as a point of a trend. Numbers are those of its summary; None where nothing was measured."""

    id: str
    suite: str
    trigger: Trigger
    status: CheckStatus
    epoch: str
    started_at: datetime
    finished_at: datetime | None
    reason: str
    planned: int
    valid: int = 0
    mean: float | None = None
    standard_error: float | None = None
    success_rate: float | None = None
    purpose: Purpose = Purpose.WATCH


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationLine:
    """A conversation without its turns and items. `value` is what counts in the mean: 0 for the assistant's errors,
    None where it says nothing; `passed` is None where there is no score.
    """

    id: str
    check_id: str
    intent_id: str
    round: int
    attempt: int
    outcome: Outcome
    end: EndReason
    started_at: datetime
    finished_at: datetime
    value: float | None
    passed: bool | None

    @property
    def duration_seconds(self) -> float:
        """Wall time of the whole conversation."""
        return (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """One conversation, what its check was, the ids of those of the check that failed, worst first, and the later
    scores of the conversation, newest first.
    """

    conversation: Conversation
    suite: str
    purpose: Purpose
    failing: tuple[str, ...]
    rescored: tuple[Rescored, ...]


def point_of(record: CheckRecord) -> CheckPoint:
    """The point of a check that is known already."""
    summary = record.summary
    known = {name: getattr(summary, name) for name in ("valid", *NUMBERS)} if summary else {}
    names = (*_CHECK_FIELDS, "purpose")
    return CheckPoint(**{name: getattr(record, name) for name in names}, **known)


def history(
    connection: Connection,
    suite: str,
    *,
    limit: int,
    before: str | None = None,
    alerting_only: bool = True,
    with_studies: bool = False,
) -> list[CheckPoint]:
    """A suite's checks, newest first; with `before` (the id of a check) only those that began earlier.

    `alerting_only` leaves out those made by hand; those of studies are none of a suite's course.
    """
    wanted: list[ColumnElement[bool]] = [check.c.suite == suite]
    if not with_studies:
        wanted.append(check.c.purpose == Purpose.WATCH)
    if alerting_only:
        wanted.append(check.c.trigger.in_(ALERTING))
    if before is not None:
        wanted.append(_earlier(connection, check, check.c.started_at, before))
    names = (*_CHECK_FIELDS, "purpose", "summary")
    query = select(*(check.c[name] for name in names)).where(*wanted)
    chosen = query.order_by(desc(check.c.started_at), desc(check.c.id)).limit(limit)
    rows = connection.execute(with_numbers(connection, chosen)).mappings()
    return [value_from(CheckPoint, row) for row in rows]


def intents_of(
    connection: Connection, check_ids: Collection[str], *, only: Collection[str] | None = None
) -> dict[str, tuple[IntentSummary, ...]]:
    """What each of these checks says about its intents, or about some of them; nothing where it has no summary."""
    summary = type_coerce(check.c.summary, JSON())
    rows = connection.execute(select(check.c.id, summary.label("summary")).where(check.c.id.in_(list(check_ids))))
    wanted = None if only is None else frozenset(only)
    return {row.id: _intents(row.summary["intents"], wanted) for row in rows if row.summary is not None}


def lines(connection: Connection, check_id: str) -> list[ConversationLine]:
    """Every conversation of a check that is still kept, by intent and round."""
    return _lines(connection, conversation.c.check_id == check_id)


def intent_lines(
    connection: Connection, check_ids: Collection[str], intent_id: str, *, limit: int
) -> list[ConversationLine]:
    """The conversations of one intent in these checks, newest first."""
    wanted = and_(conversation.c.check_id.in_(list(check_ids)), conversation.c.intent_id == intent_id)
    return _lines(connection, wanted, desc(conversation.c.finished_at), limit=limit)


def failing(connection: Connection, check_id: str) -> list[str]:
    """The ids of a check's conversations that failed, worst first: the assistant's errors, low scores, and those with a
    failed critical item.
    """
    talk = conversation.c
    errors = [outcome for outcome in Outcome if outcome.fault is Fault.ASSISTANT]
    is_error = talk.outcome.in_(errors)
    has_failed = or_(is_error, talk.score < PASS_SCORE, and_(talk.score.is_not(None), has_failed_critical(talk.id)))
    value = case((is_error, 0.0), else_=talk.score)
    query = select(talk.id).where(talk.check_id == check_id, has_failed)
    return list(connection.execute(query.order_by(value, talk.intent_id, talk.round, talk.attempt, talk.id)).scalars())


def beside(connection: Connection, conversation_id: str) -> Beside | None:
    """A conversation with what belongs to it; None where it is not kept any more."""
    talk = conversations.load(connection, conversation_id)
    if talk is None:
        return None
    made = connection.execute(select(check.c.suite, check.c.purpose).where(check.c.id == talk.check_id)).one()
    return Beside(
        conversation=talk,
        suite=made.suite,
        purpose=made.purpose,
        failing=tuple(failing(connection, talk.check_id)),
        rescored=tuple(rescores.of_conversation(connection, talk.id)),
    )


def finished(connection: Connection, check_id: str) -> int:
    """How many conversations of a check are stored."""
    query = select(func.count()).select_from(conversation).where(conversation.c.check_id == check_id)
    count: int = connection.execute(query).scalar_one()
    return count


def incidents_since(
    connection: Connection, since: datetime, *, suite: str | None = None, scope: str | None = None, limit: int
) -> list[Incident]:
    """The incidents that were open at some time since then, newest first: all, those of a suite, or of one scope."""
    wanted = [or_(incident.c.closed_at.is_(None), incident.c.closed_at >= since)]
    if suite is not None:
        wanted.append(incident.c.scope.startswith(f"{suite}/", autoescape=True))
    if scope is not None:
        wanted.append(incident.c.scope == scope)
    return _incidents(connection, *wanted, limit=limit)


def incidents_before(connection: Connection, *, is_open: bool | None, before: str | None, limit: int) -> list[Incident]:
    """Incidents, newest first; with `before` (the id of one) only those that were opened earlier."""
    wanted: list[ColumnElement[bool]] = []
    if is_open is not None:
        wanted.append(incident.c.closed_at.is_(None) if is_open else incident.c.closed_at.is_not(None))
    if before is not None:
        wanted.append(_earlier(connection, incident, incident.c.opened_at, before))
    return _incidents(connection, *wanted, limit=limit)


def _incidents(connection: Connection, *wanted: ColumnElement[bool], limit: int) -> list[Incident]:
    query = select(incident).where(*wanted).order_by(desc(incident.c.opened_at), desc(incident.c.id)).limit(limit)
    return [value_from(Incident, row) for row in connection.execute(query).mappings()]


def _earlier(connection: Connection, table: Table, time: ColumnElement[datetime], row_id: str) -> ColumnElement[bool]:
    """The rows before the one with this id, by time and id; none where there is no such row."""
    at = connection.execute(select(time).where(table.c.id == row_id)).scalar()
    if at is None:
        return false()
    place = tuple_(time, table.c.id)
    return place < tuple_(type_coerce(at, time.type), row_id)


def _intents(documents: Sequence[Mapping[str, Any]], wanted: frozenset[str] | None) -> tuple[IntentSummary, ...]:
    # Not validated again, as a `Document` would be: that was done when it was written.
    return tuple(
        IntentSummary(**{name: document[name] for name in _INTENT_FIELDS if name in document})
        for document in documents
        if wanted is None or document["intent_id"] in wanted
    )


def _lines(
    connection: Connection, wanted: ColumnElement[bool], *order: ColumnElement[Any], limit: int | None = None
) -> list[ConversationLine]:
    talk = conversation.c
    names = ("id", "check_id", "intent_id", "round", "attempt", "outcome", "end", "started_at", "finished_at", "score")
    has_passed = and_(talk.score >= PASS_SCORE, ~has_failed_critical(talk.id))
    query = select(*(talk[name] for name in names), has_passed.label("passed")).where(wanted)
    rows = connection.execute(query.order_by(*order, talk.intent_id, talk.round, talk.attempt, talk.id).limit(limit))
    return [_line(row) for row in rows.mappings()]


def _line(row: RowMapping) -> ConversationLine:
    values = dict(row)
    score, passed = values.pop("score"), values.pop("passed")
    is_assistants = values["outcome"].fault is Fault.ASSISTANT
    value = 0.0 if is_assistants else score
    has_passed = None if score is None and not is_assistants else bool(passed) and not is_assistants
    return ConversationLine(**values, value=value, passed=has_passed)
