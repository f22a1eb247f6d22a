"""What pages and retention ask of a large database is found by indexes, never by reading a whole table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event

from monitor.check import Watched
from monitor.store import LabelsWanted, Store
from monitor.store.database import Database
from monitor.store.engine import connect, parse, sqlite_path
from monitor.store.places import Span
from tests.store.samples import NOW, a_check, a_conversation

LARGE = "conversation|label|turn|score_item|rescore|verdict|check"
Asked = list[tuple[str, Any]]

READS: dict[str, Callable[[Store], object]] = {
    "beside": lambda store: store.beside("v1"),
    "candidates": lambda store: store.candidates(Span(until=NOW), limit=1000),
    "conversation": lambda store: store.conversation("v1"),
    "conversations": lambda store: store.conversations("c1"),
    "finished": lambda store: store.finished("c1"),
    "history": lambda store: store.history("main", limit=42),
    "intent_lines": lambda store: store.intent_lines(["c1", "c2"], "return", limit=50),
    "intents_of": lambda store: store.intents_of(["c1", "c2"]),
    "is_judged": lambda store: store.is_judged("c1"),
    "labels_of_one": lambda store: store.labels(LabelsWanted(conversation_id="v1"), limit=50),
    "lines": lambda store: store.lines("c1"),
    "rescored": lambda store: store.rescored("v1"),
    "retire": lambda store: store.retire(older_than=NOW, batch=20),
    "snapshot": lambda store: store.snapshot({"main": Watched(threshold=0.7)}, now=NOW),
    "verdicts": lambda store: store.verdicts("c1"),
}


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """A SQLite database that is not analysed, as none of the product's ever is."""
    opened = Database(connect(parse(sqlite_url)))
    store = Store(opened, sqlite_path(parse(sqlite_url)))
    store.open_check(a_check(), None)
    store.save_conversation(a_conversation(), None)
    yield opened
    opened.close()


@pytest.mark.parametrize("name", sorted(READS))
def test_no_large_table_is_read_from_end_to_end(database: Database, sqlite_url: str, name: str) -> None:
    steps = steps_of(READS[name], database, sqlite_url)
    assert steps
    assert [step for step in steps if re.match(rf"SCAN ({LARGE})\b", step)] == []


@pytest.mark.parametrize("name", ["beside", "intent_lines", "lines"])
def test_failed_critical_items_are_found_in_an_index_of_their_own(
    database: Database, sqlite_url: str, name: str
) -> None:
    assert any("ix_score_item_failed_critical" in step for step in steps_of(READS[name], database, sqlite_url))


def steps_of(read: Callable[[Store], object], database: Database, url: str) -> list[str]:
    """How SQLite goes about every statement of it."""
    asked: Asked = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_: Connection, __: object, statement: str, parameters: Any, ___: object, is_many: bool) -> None:
        if not is_many and not statement.startswith(("PRAGMA", "BEGIN", "EXPLAIN")):
            asked.append((statement, parameters))

    read(Store(database, sqlite_path(parse(url))))
    return database.read(_steps, list(asked))


def _steps(connection: Connection, asked: Asked) -> list[str]:
    plans = (connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values) for statement, values in asked)
    return [str(row[-1]) for plan in plans for row in plan]
