"""The schema's version: what a database has, what this code wants, and the way from the one to the other."""

from __future__ import annotations

import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from monitor.errors import SchemaMismatch
from monitor.package_data import data_folder
from monitor.store.database import Database
from monitor.store.engine import connect, parse, sqlite_path
from monitor.store.failures import no_file

# Any number will do, so long as no other program locks the same one in our database.
_MIGRATION_LOCK = 7_203_941_655


def upgrade(url: str) -> None:
    """Bring a database, made if need be, to this code's schema; of several at once, one does it and the others wait.

    Raises SchemaMismatch when its schema is newer, ConfigError, StoreUnavailable, StoreCorrupt.
    """
    parsed = parse(url)
    database = Database(connect(parsed))
    try:
        upgrade_on(database, sqlite_path(parsed))
    finally:
        database.close()


def upgrade_on(database: Database, path: Path | None) -> None:
    """The same for a database that is known already; `path` is its file if it has one."""
    if path:
        make_folder(path.parent)
        _make_private(path)
    database.write(_upgrade)


def status(url: str) -> tuple[str | None, str]:
    """The schema's version in the database (None: it has none) and in this code. Creates nothing."""
    parsed = parse(url)
    path = sqlite_path(parsed)
    if path and not path.exists():
        return None, _head()
    database = Database(connect(parsed))
    try:
        return database.read(_current), _head()
    finally:
        database.close()


def require_head(connection: Connection) -> None:
    """Raises SchemaMismatch unless the database has just this code's schema."""
    current, head = _current(connection), _head()
    if current != head:
        _refuse_newer(current)
        found = current or "empty"
        raise SchemaMismatch(f"the schema is {found}, this version needs {head}: run `assistant-monitor db upgrade`")


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # SQLite's write transaction is a lock on everything already
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    _refuse_newer(_current(connection))
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _refuse_newer(current: str | None) -> None:
    try:
        ScriptDirectory.from_config(_config()).get_revision(current or "base")
    except CommandError as error:
        raise SchemaMismatch(
            f"the database's schema is {current}, which this version does not know: it was written by a newer version"
            " of assistant-monitor; install that one"
        ) from error


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _head() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "there is at least one migration"
    return head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(data_folder("migrations")).replace("%", "%%"))
    return config


def _make_private(path: Path) -> None:
    """Make an empty file that only this user may read, if there is none: conversations go into it.

    SQLite gives the files beside it the same permissions (https://sqlite.org/wal.html).
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        who = f"user {os.geteuid()} must be able to write it and its folder"
        raise no_file(f"the database {path} cannot be opened ({error.strerror}): {who}", error) from error


def make_folder(folder: Path) -> None:
    """Make it if need be. Raises StoreUnavailable, or StoreForbidden where waiting does not help."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise no_file(f"the database's folder cannot be made: {error}", error) from error
