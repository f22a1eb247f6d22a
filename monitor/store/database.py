"""Transactions: each is whole, is tried again when the database asks for that, and fails in our own words."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from monitor.errors import StoreCorrupt, StoreUnavailable
from monitor.store.engine import LOCK_WAIT_SECONDS
from monitor.store.failures import is_transient, translate

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 4
_FIRST_PAUSE_SECONDS = 0.05


class Database:
    """Runs functions of a connection, each in a transaction of its own.

    `is_reachable`: whether the newest transaction found the database there and whole.
    """

    def __init__(self, engine: Engine, sleep: Callable[[float], None] = time.sleep) -> None:
        self.engine = engine
        self.is_reachable = True
        self._sleep = sleep
        self._writer = engine.execution_options(writes=True)
        is_sqlite = engine.dialect.name == "sqlite"
        # What one call reads, it reads of one moment; SQLite's readers do so by themselves.
        self._reader = engine if is_sqlite else engine.execution_options(isolation_level="REPEATABLE READ")
        # SQLite has one writer. Those of this process wait for one another here, where the next one goes on at once:
        # whoever waits within SQLite looks again after pauses of up to 0.1 s.
        self._writing = RLock() if is_sqlite else None

    def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` against one consistent view of the data. Raises StoreUnavailable, StoreCorrupt, StoreFailure."""
        return self._run(self._reader, lambda connection: work(connection, *args, **kwargs))

    def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` and commit. It must bear being run again after a commit whose answer was lost.

        Raises StoreUnavailable, StoreCorrupt, StoreFailure, and whatever `work` raises (nothing is written then).
        """
        return self._run(self._writer, lambda connection: work(connection, *args, **kwargs), writes=True)

    def checkpoint(self) -> None:
        """Let SQLite write its log into its file as far as nobody reads it. Raises what `read` raises."""
        if self.engine.dialect.name == "sqlite":
            self._run(self.engine.execution_options(autocommits=True), _checkpoint)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _run(self, engine: Engine, work: Callable[[Connection], T], *, writes: bool = False) -> T:
        for pause in self._pauses():
            try:
                with self._turn(writes), engine.begin() as connection:
                    result = work(connection)
            except SQLAlchemyError as error:
                if pause is None or not is_transient(error):
                    failure = translate(error)
                    self.is_reachable = not isinstance(failure, StoreUnavailable | StoreCorrupt)
                    raise failure from error
            else:
                self.is_reachable = True
                return result
            self._sleep(pause)
        raise AssertionError("unreachable: the last try returns or raises")

    @contextmanager
    def _turn(self, writes: bool) -> Iterator[None]:
        """Wait for the other writers of this process, but no longer than a statement waits for those of others."""
        is_ours = writes and self._writing is not None and self._writing.acquire(timeout=LOCK_WAIT_SECONDS)
        try:
            yield
        finally:
            if self._writing is not None and is_ours:
                self._writing.release()

    def _pauses(self) -> list[float | None]:
        """Seconds to wait after each failed try; None after the last one."""
        waits = [_FIRST_PAUSE_SECONDS * 2**n * random.uniform(0.5, 1.5) for n in range(TRIES - 1)]  # noqa: S311
        return [*waits, None]


def _checkpoint(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
