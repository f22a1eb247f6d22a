"""Tool calls that were reported beside conversations: kept for as long as their conversation may ask for them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, func, select

from monitor.json_values import canonical
from monitor.store import tables
from monitor.store.inserting import insert_once
from monitor.text import without_surrogates
from monitor.transcript import Receipt, ReportedCall, ToolCall

MOST_PER_CONVERSATION = 200


def save(connection: Connection, reported: ReportedCall) -> Receipt:
    """Write a report, once: the same one again is taken, whatever there is already, and keeps its first time."""
    table, call = tables.reported_call, reported.call
    of_conversation = table.c.conversation_id == reported.conversation_id
    count = connection.execute(select(func.count()).select_from(table).where(of_conversation)).scalar_one()
    values = {
        "conversation_id": reported.conversation_id,
        "id": reported.id,
        "at": reported.at,
        "name": call.name,
        "arguments": call.arguments,
        "result": call.result,
        "is_error": call.is_error,
    }
    if count < MOST_PER_CONVERSATION and insert_once(connection, table, values):
        return Receipt.TAKEN
    row = connection.execute(select(table).where(of_conversation, table.c.id == reported.id)).mappings().first()
    if row is None:
        return Receipt.TOO_MANY
    return Receipt.TAKEN if _content(_reported(row).call) == _content(_as_stored(call)) else Receipt.DIFFERS


def of_conversation(connection: Connection, conversation_id: str) -> list[ReportedCall]:
    """The calls that were reported of a conversation, oldest first."""
    table = tables.reported_call
    query = select(table).where(table.c.conversation_id == conversation_id).order_by(table.c.at, table.c.id)
    return [_reported(row) for row in connection.execute(query).mappings()]


def retire(connection: Connection, *, older_than: datetime, batch: int) -> int:
    """Delete at most `batch` reports that came before `older_than`, oldest first; how many there were."""
    table = tables.reported_call
    old = (
        select(table.c.conversation_id, table.c.id).where(table.c.at < older_than).order_by(table.c.at).limit(batch)
    ).subquery()
    is_old = (table.c.conversation_id == old.c.conversation_id) & (table.c.id == old.c.id)
    return connection.execute(delete(table).where(select(old).where(is_old).exists())).rowcount


def _content(call: ToolCall) -> tuple[str, str, str | None, bool]:
    """What a report says, however its arguments are written."""
    try:
        arguments = canonical(json.loads(call.arguments))
    except (ValueError, RecursionError):
        arguments = call.arguments
    return call.name, arguments, call.result, call.is_error


def _as_stored(call: ToolCall) -> ToolCall:
    result = None if call.result is None else without_surrogates(call.result)
    return replace(
        call, name=without_surrogates(call.name), arguments=without_surrogates(call.arguments), result=result
    )


def _reported(row: RowMapping) -> ReportedCall:
    call = ToolCall(
        name=row["name"],
        arguments=row["arguments"],
        result=row["result"],
        is_error=row["is_error"],
        was_reported=True,
    )
    return ReportedCall(conversation_id=row["conversation_id"], id=row["id"], at=row["at"], call=call)
