"""Scores made later than the conversations: those appended by a rescore, and what labels said about scores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, case, desc, select

from monitor.calibration import Calibration
from monitor.check import Rescored
from monitor.score import PASS_SCORE, Score
from monitor.store import tables
from monitor.store.criticals import has_failed_critical
from monitor.store.inserting import insert_once
from monitor.store.rows import value_from, values_of
from monitor.transcript import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilter:
    """Which conversations are wanted; None means all. `since` is when they finished."""

    check_id: str | None = None
    suite: str | None = None
    since: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same in SQL, of conversations joined to their checks."""
        conversation, check = tables.conversation.c, tables.check.c
        wanted = [
            None if self.check_id is None else conversation.check_id == self.check_id,
            None if self.suite is None else check.suite == self.suite,
            None if self.since is None else conversation.finished_at >= self.since,
        ]
        return [condition for condition in wanted if condition is not None]


def completed(connection: Connection, wanted: ConversationFilter, limit: int) -> list[str]:
    """The ids of completed conversations, newest first."""
    conversation, check = tables.conversation, tables.check
    query = (
        select(conversation.c.id)
        .join(check, check.c.id == conversation.c.check_id)
        .where(conversation.c.outcome == Outcome.COMPLETED, *wanted.conditions())
        .order_by(desc(conversation.c.finished_at), conversation.c.id)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def passed(connection: Connection, epoch: str, limit: int) -> list[bool]:
    """Whether each of the newest conversations scored under an epoch passed: its score, and every critical item."""
    conversation = tables.conversation.c
    query = (
        select(conversation.score >= PASS_SCORE, has_failed_critical(conversation.id))
        .where(conversation.epoch == epoch, conversation.score.is_not(None))
        .order_by(desc(conversation.finished_at), conversation.id)
        .limit(limit)
    )
    return [bool(is_high) and not failed for is_high, failed in connection.execute(query)]


def is_judged(connection: Connection, check_id: str) -> bool:
    """Whether a judge took part in scoring a conversation of this check."""
    conversation = tables.conversation.c
    query = select(conversation.id).where(conversation.check_id == check_id, conversation.judged.is_not(None))
    return connection.execute(query.limit(1)).first() is not None


def append(connection: Connection, rescored: Rescored) -> None:
    """Write a further score, once; nothing when its conversation was retired meanwhile."""
    conversation = tables.conversation.c
    is_there = select(conversation.id).where(conversation.id == rescored.conversation_id).with_for_update(read=True)
    if connection.execute(is_there).first() is None:
        return
    score = rescored.score
    values: dict[str, Any] = values_of(rescored) | {
        "score": score.value,
        "score_reason": score.reason,
        "gate": score.gate,
        "components": score.components,
        "judged": score.judged,
    }
    insert_once(connection, tables.rescore, values)


def of_conversation(connection: Connection, conversation_id: str) -> list[Rescored]:
    """The further scores of a conversation, newest first."""
    rescore = tables.rescore
    query = select(rescore).where(rescore.c.conversation_id == conversation_id)
    return [_rescored(row) for row in connection.execute(query.order_by(desc(rescore.c.at), rescore.c.id)).mappings()]


def save_calibration(connection: Connection, calibration: Calibration) -> None:
    """Write a calibration, once."""
    insert_once(connection, tables.calibration, values_of(calibration))


def calibration(connection: Connection, epoch: str) -> Calibration | None:
    """The newest calibration of an epoch, or else the newest of any."""
    table = tables.calibration
    is_other = case((table.c.epoch == epoch, 0), else_=1)
    row = connection.execute(select(table).order_by(is_other, desc(table.c.at), table.c.id).limit(1)).mappings().first()
    return value_from(Calibration, row) if row else None


def _rescored(row: RowMapping) -> Rescored:
    score = Score(
        value=row["score"],
        reason=row["score_reason"],
        gate=row["gate"],
        components=row["components"],
        judged=row["judged"],
    )
    return value_from(Rescored, {**row, "score": score})
