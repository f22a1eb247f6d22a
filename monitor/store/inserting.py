"""Inserts that tolerate a row which is there already; both databases spell them alike, SQLAlchemy does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_once(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert one row; False, and nothing written, when a unique key of it is taken."""
    statement = _insert(connection, table).values(**values).on_conflict_do_nothing()
    return connection.execute(statement.returning(*table.primary_key.columns)).first() is not None


def add_to(connection: Connection, table: Table, key: Mapping[str, Any], column: str, amount: int) -> None:
    """Add `amount` to a number in the row of `key`, which begins at 0."""
    statement = _insert(connection, table).values(**key, **{column: amount})
    total = table.c[column] + statement.excluded[column]
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_={column: total}))


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
