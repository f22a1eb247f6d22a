"""Conversations with their turns and scored items: saved as each finishes, read back equal, retired when old."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, delete, insert, select

from monitor.check import CheckStatus, Conversation, Purpose, Slot
from monitor.store import checks, counters, slots, tables
from monitor.store.inserting import insert_once
from monitor.store.rows import conversation_from, conversation_values, item_values, turn_values


def save(connection: Connection, conversation: Conversation, slot: Slot | None) -> None:
    """Write a conversation of a running check, once. Raises StaleWrite when slot or check were taken away."""
    if slot:
        slots.fence(connection, slot)
    suite, purpose = checks.running_suite(connection, conversation.check_id)
    if not insert_once(connection, tables.conversation, conversation_values(conversation)):
        return
    _insert_all(connection, tables.turn, turn_values(conversation))
    _insert_all(connection, tables.score_item, item_values(conversation))
    if purpose is Purpose.WATCH:
        counters.count(connection, counters.CONVERSATIONS, [(suite, conversation.transcript.outcome)])


def of_check(connection: Connection, check_id: str) -> list[Conversation]:
    """Every conversation of a check that is still kept, in the order of rounds and intents."""
    return _load(connection, tables.conversation.c.check_id == check_id)


def load(connection: Connection, conversation_id: str) -> Conversation | None:
    """One conversation."""
    return next(iter(_load(connection, tables.conversation.c.id == conversation_id)), None)


def retire(connection: Connection, *, older_than: datetime, batch: int) -> int:
    """Delete at most `batch` conversations that finished before `older_than`, oldest first; how many there were."""
    conversation, check = tables.conversation, tables.check
    old = (
        select(conversation.c.id)
        .join(check, check.c.id == conversation.c.check_id)
        .where(conversation.c.finished_at < older_than, check.c.status != CheckStatus.RUNNING)
        .order_by(conversation.c.finished_at)
        .limit(batch)
    )
    return connection.execute(delete(conversation).where(conversation.c.id.in_(old))).rowcount


def _load(connection: Connection, wanted: ColumnElement[bool]) -> list[Conversation]:
    conversation = tables.conversation
    order = (conversation.c.round, conversation.c.intent_id, conversation.c.attempt, conversation.c.id)
    rows = connection.execute(select(conversation).where(wanted).order_by(*order)).mappings().all()
    turns = _parts(connection, tables.turn, wanted)
    items = _parts(connection, tables.score_item, wanted)
    return [conversation_from(row, turns.get(row["id"], ()), items.get(row["id"], ())) for row in rows]


def _parts(connection: Connection, table: Table, wanted: ColumnElement[bool]) -> dict[str, Sequence[RowMapping]]:
    """The rows of a table that belong to the wanted conversations, by conversation, in order."""
    ids = select(tables.conversation.c.id).where(wanted)
    query = select(table).where(table.c.conversation_id.in_(ids)).order_by(table.c.conversation_id, table.c.position)
    rows = connection.execute(query).mappings().all()
    return {str(key): list(group) for key, group in groupby(rows, key=lambda row: row["conversation_id"])}


def _insert_all(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)
