from __future__ import annotations

import ast
import os
import re
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from monitor.errors import ConfigError, SchemaMismatch, StoreUnavailable
from monitor.machine import AlertState, Breach, Phase
from monitor.store import Store, tables
from monitor.store.database import Database
from monitor.store.engine import connect, parse
from monitor.store.migrate import status, upgrade
from monitor.verdict import Severity
from tests.store.samples import a_check, a_closing, a_conversation

ROOT = Path(__file__).parents[2]


@pytest.fixture
def blank(blank_url: str) -> Iterator[Database]:
    database = Database(connect(parse(blank_url)))
    yield database
    database.close()


def stamp(connection: Connection, revision: str) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def constraints(connection: Connection) -> object:
    """What alembic's comparison leaves out."""
    seen = inspect(connection)
    return {
        table: (
            sorted(check["name"] or "" for check in seen.get_check_constraints(table)),
            sorted(str(key) for key in seen.get_foreign_keys(table)),
            seen.get_pk_constraint(table),
        )
        for table in tables.metadata.tables
    }


def test_a_blank_database_is_upgraded_to_the_head(blank_url: str) -> None:
    assert status(blank_url)[0] is None
    upgrade(blank_url)
    current, head = status(blank_url)
    assert current == head


def test_the_migrations_build_the_schema_of_the_tables(blank_url: str, blank: Database) -> None:
    upgrade(blank_url)
    differences = blank.read(lambda c: compare_metadata(MigrationContext.configure(c), tables.metadata))
    assert differences == []


def test_the_migrations_build_the_constraints_of_the_tables(blank_url: str, blank: Database) -> None:
    upgrade(blank_url)
    migrated = blank.read(constraints)
    blank.write(tables.metadata.drop_all)
    blank.write(tables.metadata.create_all)
    assert blank.read(constraints) == migrated


def test_upgrading_again_changes_nothing(url: str) -> None:
    before = status(url)
    upgrade(url)
    assert status(url) == before
    Store.open(url).close()


def test_of_several_that_migrate_at_once_one_does_it(blank_url: str, blank: Database) -> None:
    together = Barrier(4)

    def run(_: int) -> None:
        together.wait()
        upgrade(blank_url)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(run, range(4)))
    current, head = status(blank_url)
    assert current == head
    versions = blank.read(lambda c: c.execute(text("SELECT version_num FROM alembic_version")).scalars().all())
    assert versions == [head]


def test_a_blank_database_is_refused_with_what_to_do(blank_url: str) -> None:
    with pytest.raises(SchemaMismatch, match="run `assistant-monitor db upgrade`"):
        Store.open(blank_url)


def test_looking_for_a_sqlite_file_does_not_make_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none.db'}"
    with pytest.raises(SchemaMismatch, match=r"no database at .*none\.db"):
        Store.open(url)
    assert status(url)[0] is None
    assert list(tmp_path.iterdir()) == []


def test_a_newer_schema_is_neither_opened_nor_migrated(blank_url: str, blank: Database) -> None:
    upgrade(blank_url)
    blank.write(stamp, "9999")
    for attempt in (Store.open, upgrade):
        with pytest.raises(SchemaMismatch, match="newer version"):
            attempt(blank_url)


def test_a_sqlite_file_and_what_lies_beside_it_are_for_its_user_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        upgrade(f"sqlite:///{tmp_path / 'monitor.db'}")
        store = Store.open(f"sqlite:///{tmp_path / 'monitor.db'}")
        store.open_check(a_check(), None)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == {"monitor.db": 0o600, "monitor.db-wal": 0o600, "monitor.db-shm": 0o600}


def test_a_file_that_may_not_be_made_is_told_with_its_path_and_user(tmp_path: Path) -> None:
    (tmp_path / "monitor.db").mkdir()
    with pytest.raises(StoreUnavailable, match=r"monitor\.db cannot be opened .*: user \d+ must be able to write it"):
        upgrade(f"sqlite:///{tmp_path / 'monitor.db'}")


def test_what_runs_goes_on_while_a_newer_version_adds_to_the_schema(blank_url: str, blank: Database) -> None:
    upgrade(blank_url)
    store = Store.open(blank_url)
    blank.write(add_as_the_next_version_may)
    store.open_check(a_check(), None)
    store.save_conversation(a_conversation(), None)
    store.close_check(a_closing())
    assert store.check("c1") is not None
    store.close()


def add_as_the_next_version_may(connection: Connection) -> None:
    for table in tables.metadata.tables:
        connection.execute(text(f'ALTER TABLE "{table}" ADD COLUMN added_later TEXT'))
    connection.execute(text("CREATE TABLE added_later (id INTEGER PRIMARY KEY)"))
    stamp(connection, "9999")


def is_execute(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "execute"


def fills_what(call: ast.Call) -> tuple[str, str]:
    """The table and the column that an executed statement fills."""
    (statement,) = call.args
    assert isinstance(statement, ast.Constant)
    match = re.fullmatch(r"UPDATE (\w+) SET (\w+) = \(SELECT [^;,]*\)", str(statement.value))
    assert match, statement.value
    return match[1], match[2]


def test_migrations_after_the_first_only_add_so_that_the_version_before_goes_on() -> None:
    added = {"add_column", "create_table", "create_index", "batch_alter_table", "f"}
    # What is executed may only fill columns that the same migration adds.
    for path in sorted((ROOT / "migrations" / "versions").glob("[0-9]*.py"))[1:]:
        (upgrade_,) = [node for node in ast.parse(path.read_text()).body if getattr(node, "name", "") == "upgrade"]
        calls = [node.func for node in ast.walk(upgrade_) if isinstance(node, ast.Call)]
        used = {f.attr for f in calls if isinstance(f, ast.Attribute) and getattr(f.value, "id", "") in ("op", "batch")}
        executed = [node for node in ast.walk(upgrade_) if isinstance(node, ast.Call) and is_execute(node)]
        new = [f'"{table}", sa.Column("{column}"' for table, column in map(fills_what, executed)]
        assert all(f"op.add_column({column}" in path.read_text() for column in new), path.name
        assert used - ({"execute"} if executed else set()) <= added, path.name


def test_upgrading_makes_the_folder_of_a_sqlite_file(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path / 'var' / 'lib' / 'monitor.db'}")
    assert (tmp_path / "var" / "lib" / "monitor.db").exists()


def test_a_percent_sign_in_the_url_is_harmless(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path}/100%.db")
    assert (tmp_path / "100%.db").stat().st_size > 0


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "nonsense", "oracle://x"])
def test_a_database_that_cannot_serve_is_a_configuration_error(url: str) -> None:
    for attempt in (Store.open, upgrade, status):
        with pytest.raises(ConfigError, match="database url"):
            attempt(url)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_is_known_under_its_usual_names(scheme: str) -> None:
    assert parse(f"{scheme}://u@h/d").drivername == "postgresql+psycopg"


def test_conversations_of_an_old_database_have_the_epoch_of_their_check(blank_url: str, blank: Database) -> None:
    blank.write(make_the_first_schema)
    blank.write(add_old_rows)
    upgrade(blank_url)
    store = Store.open(blank_url)
    found = store.conversation("v1")
    assert found is not None
    assert (found.epoch, found.score.judged, found.validity) == ("e-old", None, None)
    assert (store.rescored("v1"), store.calibration("e-old")) == ([], None)
    store.close()


def test_the_rule_of_an_open_alert_of_an_old_database_is_its_one_breach(blank_url: str, blank: Database) -> None:
    blank.write(make_the_first_schema)
    blank.write(add_old_alert)
    upgrade(blank_url)
    store = Store.open(blank_url)
    since = datetime(2026, 3, 1, 12, tzinfo=UTC)
    critical = Severity.CRITICAL
    assert store.alert_state("main/overall") == AlertState(
        scope="main/overall",
        phase=Phase.FIRING,
        since=since,
        incident_id="i1",
        severity=critical,
        breaches=(Breach(rule="mean", severity=critical, reason="", since=since),),
        channels=("slack",),
        told_at=since,
        told_severity=critical,
        version=3,
    )
    store.close()


def add_old_alert(connection: Connection) -> None:
    """An alert that fires, as the first version wrote it."""
    values = "'main/overall', 'firing', '2026-03-01 12:00:00+00', 'i1', 'mean', 'critical', '[\"slack\"]', '[]', 3"
    if connection.dialect.name == "sqlite":
        values = values.replace("+00", "")
    columns = "scope, phase, since, incident_id, rule, severity, channels, unresolved, version"
    connection.exec_driver_sql(f"INSERT INTO alert_state ({columns}) VALUES ({values})")


def make_the_first_schema(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


def add_old_rows(connection: Connection) -> None:
    """A check with a conversation, as the first version wrote them."""
    at = "2026-03-01 12:00:00"
    check = ("c1", "main", "manual", "healthy", "e-old", 1, at, 1, "", "p")
    talk = ("v1", "c1", "return", "f", 0, 1, 1, "user_ended", "completed", at, at, "", "[]", 0.5, "", 1.0, "[]")
    for table, columns, values in (
        ("check", "id suite trigger status epoch seed started_at planned reason process", check),
        (
            "conversation",
            "id check_id intent_id fingerprint round attempt seed end outcome started_at finished_at detail cuts "
            "score score_reason gate components",
            talk,
        ),
    ):
        names = columns.split()
        quoted, places = ", ".join(f'"{name}"' for name in names), ", ".join(f":{name}" for name in names)
        connection.execute(
            text(f'INSERT INTO "{table}" ({quoted}) VALUES ({places})'), dict(zip(names, values, strict=True))
        )
