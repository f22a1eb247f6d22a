"""A store with one of everything, made once and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.store import Store
from monitor.store.migrate import upgrade
from tests.web.stock import Stocked, stock


@pytest.fixture(scope="session")
def stocked_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with one of everything in it."""
    path = tmp_path_factory.mktemp("stock") / "monitor.sqlite3"
    upgrade(f"sqlite:///{path}")
    store = Store.open(f"sqlite:///{path}")
    stock(store)
    store.close()
    return path


@pytest.fixture
def stocked(stocked_file: Path, tmp_path: Path) -> Iterator[Stocked]:
    """A copy of it, and the application over it."""
    store = Store.open(f"sqlite:///{shutil.copy(stocked_file, tmp_path / 'monitor.sqlite3')}")
    yield Stocked(store)
    store.close()
