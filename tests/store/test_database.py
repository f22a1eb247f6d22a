"""What becomes of a transaction when the database misbehaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier, Event

import pytest
from sqlalchemy import URL, Connection, text

from monitor.errors import StoreCorrupt, StoreFailure, StoreUnavailable
from monitor.store import Store
from monitor.store.database import TRIES, Database
from monitor.store.engine import connect, parse
from tests.store.samples import NOW, a_check, a_state


@pytest.fixture
def writer(sqlite_url: str) -> Iterator[sqlite3.Connection]:
    """Another program that holds the SQLite file's write lock."""
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def never(_: float) -> None:
    """No pause between tries."""


def transactions(
    url: str | URL, sleep: Callable[[float], None] = never, lock_wait_seconds: float = 5.0
) -> closing[Database]:
    return closing(Database(connect(parse(str(url)), lock_wait_seconds=lock_wait_seconds), sleep=sleep))


def count(connection: Connection, name: str = "x") -> None:
    connection.execute(text("INSERT INTO counter (name, labels, value) VALUES (:name, '[]', 1)"), {"name": name})


def counted(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT name FROM counter ORDER BY name")).scalars())


def test_a_transaction_waits_for_a_locked_file(sqlite_url: str, writer: sqlite3.Connection) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            writer.execute("ROLLBACK")

    with transactions(sqlite_url, sleep=pause, lock_wait_seconds=0.0) as database:
        database.write(count)
        assert database.read(counted) == ["x"]
    assert len(pauses) == 2


def test_a_file_that_stays_locked_is_unavailable(sqlite_url: str, writer: sqlite3.Connection) -> None:
    pauses: list[float] = []
    with (
        transactions(sqlite_url, sleep=pauses.append, lock_wait_seconds=0.0) as database,
        pytest.raises(StoreUnavailable, match="database is locked"),
    ):
        database.write(count)
    assert len(pauses) == TRIES - 1


def test_whether_the_database_is_there_is_known_from_the_newest_transaction(
    sqlite_url: str, writer: sqlite3.Connection
) -> None:
    with transactions(sqlite_url, sleep=lambda _: None, lock_wait_seconds=0.0) as database:
        with pytest.raises(StoreUnavailable):
            database.write(count)
        assert not database.is_reachable
        assert database.read(counted) == []
        assert database.is_reachable


def test_writers_of_one_process_wait_their_turn_and_none_is_refused(sqlite_url: str) -> None:
    pauses: list[float] = []
    together = Barrier(4)
    with (
        transactions(sqlite_url, sleep=pauses.append, lock_wait_seconds=0.0) as database,
        ThreadPoolExecutor(4) as threads,
    ):

        def write(writer: int) -> None:
            together.wait(timeout=30)
            for number in range(20):
                database.write(count, f"{writer}-{number}")

        list(threads.map(write, range(4)))
        assert len(database.read(counted)) == 80
    assert pauses == []


def test_readers_are_not_held_up_by_a_writer(sqlite_url: str, writer: sqlite3.Connection) -> None:
    with closing(Store.open(sqlite_url)) as store:
        assert store.checks() == []


def test_a_connection_that_is_cut_in_a_transaction_is_replaced(migrated_postgres_url: str) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(len(tries))
        count(connection)
        if len(tries) == 1:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with transactions(migrated_postgres_url) as database:
        database.write(work)
        assert (tries, database.read(counted)) == ([0, 1], ["x"])


def test_idle_connections_that_were_cut_are_not_noticed(migrated_postgres_url: str) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    others = text(f"{cut} AND pid <> pg_backend_pid()")
    with closing(Store.open(migrated_postgres_url)) as store, transactions(migrated_postgres_url) as cutter:
        cutter.write(lambda connection: connection.execute(others).all())
        store.open_check(a_check(), None)
        assert store.check("c1") == a_check()


def test_of_two_in_a_deadlock_both_succeed(migrated_postgres_url: str) -> None:
    both_hold_one, one_is_through = Barrier(2), Event()
    tries: list[str] = []

    def add(connection: Connection, first: str, second: str) -> None:
        one = text("UPDATE counter SET value = value + 1 WHERE name = :name")
        tries.append(first)
        connection.execute(one, {"name": first})
        if not one_is_through.is_set():
            both_hold_one.wait(timeout=30)
        connection.execute(one, {"name": second})

    def wait(_: float) -> None:
        one_is_through.wait(timeout=30)

    def run(names: tuple[str, str]) -> None:
        database.write(add, *names)
        one_is_through.set()

    with transactions(migrated_postgres_url, sleep=wait) as database:
        for name in ("a", "b"):
            database.write(count, name)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(run, (("a", "b"), ("b", "a"))))
        values = database.read(lambda c: list(c.execute(text("SELECT value FROM counter")).scalars()))
    assert (values, len(tries)) == ([3, 3], 3)


def test_a_server_that_is_away_is_unavailable_after_bounded_tries(postgres_url: str) -> None:
    pauses: list[float] = []
    nobody = parse(postgres_url).set(port=1)
    with (
        transactions(nobody, sleep=pauses.append) as database,
        pytest.raises(StoreUnavailable, match="cannot be used now"),
    ):
        database.read(counted)
    assert len(pauses) == TRIES - 1


def test_a_full_disk_is_unavailable_and_loses_nothing(sqlite_url: str) -> None:
    def fill(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        for number in range(10_000):
            count(connection, f"{number:0100}")

    with transactions(sqlite_url) as database:
        with pytest.raises(StoreUnavailable, match="full"):
            database.write(fill)
        assert database.read(counted) == []


def test_a_mistake_of_ours_is_not_tried_again(database: Database) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.execute(text("SELECT 1 FROM nowhere"))

    with pytest.raises(StoreFailure, match="nowhere"):
        database.read(work)
    assert len(tries) == 1


def test_an_error_of_the_caller_rolls_everything_back(database: Database) -> None:
    def work(connection: Connection) -> None:
        count(connection)
        raise LookupError

    with pytest.raises(LookupError):
        database.write(work)
    assert database.read(counted) == []


def test_what_one_call_reads_is_of_one_moment(database: Database, other: Store) -> None:
    def work(connection: Connection) -> tuple[list[str], list[str]]:
        before = counted(connection)
        other.save_alert_state(a_state())
        database.write(count)
        return before, counted(connection)

    assert database.read(work) == ([], [])


@pytest.mark.parametrize("damage", ["header", "middle"])
def test_a_damaged_file_is_refused_and_left_as_it_is(sqlite_url: str, damage: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    content = bytearray(path.read_bytes())
    start = 0 if damage == "header" else 4096 * 3
    content[start : start + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match="restore it from a backup"):
        Store.open(sqlite_url)
    assert path.read_bytes() == bytes(content)


def test_a_write_survives_the_power(sqlite_url: str) -> None:
    pragmas = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with transactions(sqlite_url) as database:
        found = database.read(lambda c: {name: c.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in pragmas})
    assert found == pragmas


async def test_a_call_is_run_off_the_loop(store: Store) -> None:
    await store.offload(store.open_check, a_check(), None)
    assert await store.offload(store.check, "c1") == a_check()
    assert (await store.offload(store.snapshot, {}, now=NOW)).taken_at == NOW
