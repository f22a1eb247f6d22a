"""Reports of a healthy check and of one after it. What takes `store` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.check_report import CheckReport
from monitor.store import Store
from tests.check_report.samples import fallen, reported
from tests.store.conftest import (
    migrated_postgres_url,
    shared_postgres,
    sqlite_template,
    sqlite_url,
    store,
    url,
)

__all__ = ["migrated_postgres_url", "shared_postgres", "sqlite_template", "sqlite_url", "store", "url"]


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """A store of the test's own, beside `store`."""
    opened = Store.open(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'own.db')}")
    yield opened
    opened.close()


@pytest.fixture
def report(sqlite_store: Store) -> CheckReport:
    """Of the check whose refunds have become bad."""
    return reported(sqlite_store, fallen(sqlite_store))
