"""Where the files lie: a folder with room enough, in it one database after the other, and nothing afterwards."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.benchmarks.store.loading import Tell, fill_postgresql, fill_sqlite
from tests.benchmarks.store.world import World
from tests.fixtures.postgres import postgres_binaries, postgres_running

BYTES_PER_CONVERSATION = {"sqlite": 6_000, "postgresql": 11_000}
"""With indexes and what lies beside them while they are filled; measured with 1,000,000, and a fifth more."""
LEAST_BYTES = 500 * 10**6
"""An empty server with its logs."""
_IN_BULK = (
    "-F -c full_page_writes=off -c autovacuum=off -c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=4GB"
    " -c checkpoint_timeout=1h -c shared_buffers=1GB -c maintenance_work_mem=256MB"
)
"""How PostgreSQL is filled. It is measured with its own defaults, which lose nothing."""


class CannotRun(Exception):
    """Raised when this machine cannot take the benchmark as it is asked for; says what would help."""


def require_room(folder: Path, databases: tuple[str, ...], conversations: int) -> None:
    """Raises CannotRun unless the files find room. Only one database is there at a time."""
    free = shutil.disk_usage(folder).free
    needed, name = max((LEAST_BYTES + conversations * BYTES_PER_CONVERSATION[name], name) for name in databases)
    if free < needed:
        raise CannotRun(
            f"{folder} has {free / 1e9:.1f} GB free, {name} with {conversations} conversations needs"
            f" {needed / 1e9:.1f} GB: give another folder by FOLDER=, or fewer by CONVERSATIONS="
        )


def require_server(databases: tuple[str, ...]) -> None:
    """Raises CannotRun where PostgreSQL is wanted and not installed."""
    if "postgresql" in databases:
        try:
            postgres_binaries()
        except LookupError as error:
            raise CannotRun(f"{error}; or leave it out: DATABASES=sqlite") from error


@contextmanager
def sqlite_filled(folder: Path, world: World, tell: Tell, seed: int) -> Iterator[str]:
    """A SQLite file with the world in it, by its URL."""
    with tempfile.TemporaryDirectory(prefix="bench-store-", dir=folder) as own:
        url = fill_sqlite(Path(own) / "monitor.sqlite3", world, tell, seed=seed)
        os.sync()  # or what was loaded goes to the disk while it is measured
        yield url


@contextmanager
def postgresql_filled(folder: Path, world: World, tell: Tell, seed: int) -> Iterator[str]:
    """A PostgreSQL server with the world in it, by its URL; started anew with its defaults after it was filled."""
    with tempfile.TemporaryDirectory(prefix="bench-store-", dir=folder) as own:
        with postgres_running(Path(own), _IN_BULK) as server:
            fill_postgresql(server, world, tell, seed=seed)
        os.sync()
        with postgres_running(Path(own)) as server:
            yield server.render_as_string(hide_password=False)


FILLED: Mapping[str, Callable[[Path, World, Tell, int], AbstractContextManager[str]]] = {
    "sqlite": sqlite_filled,
    "postgresql": postgresql_filled,
}
