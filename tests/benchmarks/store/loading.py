"""Fills a database in bulk, past the store, which would take conversations one by one. None of it is measured."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
from sqlalchemy import URL, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite

from monitor.store.database import Database
from monitor.store.engine import connect, parse
from monitor.store.migrate import upgrade
from tests.benchmarks.store import records
from tests.benchmarks.store.rows import PARTS, Row, Rows
from tests.benchmarks.store.world import MadeCheck, World

Write = Callable[[Table, Sequence[Row]], None]
Tell = Callable[[str], None]
TOLD_EVERY = 50_000


def fill_sqlite(path: Path, world: World, tell: Tell, *, seed: int) -> str:
    """A new file with the schema and the world in it; its URL. The file is safe from a loss of power only at the end.

    No statistics are gathered: the product never does.
    """
    url = f"sqlite:///{path}"
    upgrade(url)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -2000000", "foreign_keys = OFF"):
            connection.execute(f"PRAGMA {pragma}")

        def write(table: Table, rows: Sequence[Row]) -> None:
            marks = ", ".join("?" for _ in table.columns)
            connection.executemany(f"INSERT INTO {_place(table)} VALUES ({marks})", rows)

        connection.execute("BEGIN")
        checks = _fill(world, sqlite.dialect(), write, tell, seed)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
    _write_records(url, world, checks)
    return url


def fill_postgresql(server: URL, world: World, tell: Tell, *, seed: int) -> str:
    """The schema and the world in an empty database, by COPY; its URL. Then it is vacuumed and analysed, which the
    server's autovacuum would do in time.
    """
    url = server.render_as_string(hide_password=False)
    upgrade(url)
    with psycopg.connect(server.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.execute("SET session_replication_role = replica")  # no keys are looked up: they are right

        def write(table: Table, rows: Sequence[Row]) -> None:
            with connection.cursor().copy(f"COPY {_place(table)} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        checks = _fill(world, dialect, write, tell, seed)
        connection.commit()
        _write_records(url, world, checks)
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
    return url


def _fill(world: World, dialect: Dialect, write: Write, tell: Tell, seed: int) -> list[MadeCheck]:
    rows, checks, done = Rows(world.samples, dialect, seed), [], 0
    for made in world.checks():
        for table, part in zip(PARTS, rows.of(made), strict=True):
            write(table, part)
        checks.append(made)
        before, done = done, done + len(made.plays)
        if before // TOLD_EVERY != done // TOLD_EVERY:
            tell(f"{done} of {world.conversations} conversations are loaded")
    return checks


def _write_records(url: str, world: World, checks: Sequence[MadeCheck]) -> None:
    database = Database(connect(parse(url)))
    try:
        database.write(records.write, world, checks)
    finally:
        database.close()


def _place(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'"{table.name}" ({names})'
