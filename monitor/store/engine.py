"""From a database URL to a SQLAlchemy engine that behaves the same on SQLite and PostgreSQL.

It knows URLs, drivers and connection settings; nothing of tables.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from monitor.errors import ConfigError

# A statement that waits longer than this for another's lock is given up, and its transaction is tried again.
LOCK_WAIT_SECONDS = 5.0
_LOG_PAGES = 4000
"""SQLite's log grows to so many pages (16 MB) before a commit has to move them; retention moves them earlier."""
_MILLISECONDS = {"statement_timeout": 60_000, "idle_in_transaction_session_timeout": 60_000}
_POSTGRES_NAMES = {"postgres", "postgresql", "postgresql+psycopg"}


def parse(url: str) -> URL:
    """The URL with its driver named. Raises ConfigError for a database that this store does not know."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(["database url: expected sqlite:///PATH or postgresql://USER@HOST/DATABASE"]) from error
    if parsed.drivername in _POSTGRES_NAMES:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise ConfigError([f"database url: {parsed.drivername!r} is not supported; use sqlite or postgresql"])
    if parsed.database in (None, "", ":memory:") or "uri" in parsed.query:
        raise ConfigError(["database url: SQLite in memory forgets everything; give a file: sqlite:///PATH"])
    return parsed


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite database; None for a server."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def connect(url: URL, *, lock_wait_seconds: float = LOCK_WAIT_SECONDS) -> Engine:
    """An engine; no connection is made yet. Raises ConfigError when the driver is not installed."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, lock_wait_seconds)
    try:
        return create_engine(
            url, connect_args=_postgres_settings(lock_wait_seconds), hide_parameters=True, pool_timeout=10
        )
    except ImportError as error:
        raise ConfigError(["database url: PostgreSQL needs `pip install 'assistant-monitor[postgres]'`"]) from error


def _postgres_settings(lock_wait_seconds: float) -> dict[str, object]:
    """Connection settings under which no call waits for ever, whatever the server or the network does."""
    limits = {"lock_timeout": int(lock_wait_seconds * 1000), **_MILLISECONDS}
    options = " ".join(f"-c {name}={value}" for name, value in limits.items())
    return {
        "application_name": "assistant-monitor",
        "options": f"-c timezone=UTC {options}",
        "connect_timeout": 5,
        "keepalives_idle": 30,
        "tcp_user_timeout": 30_000,
    }


def _sqlite(url: URL, lock_wait_seconds: float) -> Engine:
    engine = create_engine(url, connect_args={"timeout": lock_wait_seconds}, hide_parameters=True, pool_timeout=10)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver would begin transactions too late and end them too early
        connection.execute("PRAGMA journal_mode = WAL")
        # An attempt must be on the disk before its message leaves; NORMAL may forget commits when power fails.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later cannot wait for another writer: it fails at once.
        options = connection.get_execution_options()
        if options.get("autocommits", False):  # a checkpoint cannot be made within a transaction
            return
        writes = options.get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
