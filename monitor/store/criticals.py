"""Whether a stored conversation failed a critical item, in SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, literal_column, select

from monitor.store.tables import FAILED_CRITICAL, score_item


def has_failed_critical(conversation_id: ColumnElement[str]) -> ColumnElement[bool]:
    """True where a critical item that is on was failed or has no value.

    A value with a limit, and no EXISTS: for that PostgreSQL may choose to read every item of every conversation once.
    """
    found: Select[Any] = select(literal_column("1")).select_from(score_item)
    found = found.where(score_item.c.conversation_id == conversation_id, FAILED_CRITICAL)
    return found.limit(1).scalar_subquery().is_not(None)
