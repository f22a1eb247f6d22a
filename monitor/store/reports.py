"""Tool calls that were reported beside conversations: kept for as long as their conversation may ask for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, func, select

from monitor.store import tables
from monitor.store.inserting import insert_once
from monitor.transcript import ReportedCall, ToolCall

MOST_PER_CONVERSATION = 200


def save(connection: Connection, reported: ReportedCall) -> bool:
    """Write a report, once; False, and nothing written, where the conversation has too many already."""
    table, call = tables.reported_call, reported.call
    of_conversation = table.c.conversation_id == reported.conversation_id
    count = connection.execute(select(func.count()).select_from(table).where(of_conversation)).scalar_one()
    if count >= MOST_PER_CONVERSATION:
        return False
    values = {
        "conversation_id": reported.conversation_id,
        "id": reported.id,
        "at": reported.at,
        "name": call.name,
        "arguments": call.arguments,
        "result": call.result,
        "is_error": call.is_error,
    }
    insert_once(connection, table, values)
    return True


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


def _reported(row: RowMapping) -> ReportedCall:
    call = ToolCall(
        name=row["name"],
        arguments=row["arguments"],
        result=row["result"],
        is_error=row["is_error"],
        was_reported=True,
    )
    return ReportedCall(conversation_id=row["conversation_id"], id=row["id"], at=row["at"], call=call)
