"""Totals for `/metrics`, kept beside the rows that they count: retention deletes rows, a counter only grows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select

from monitor.store import tables
from monitor.store.inserting import add_to

CHECKS = "checks"
CONVERSATIONS = "conversations"
NOTIFICATIONS = "notifications"


def count(connection: Connection, name: str, labels: Iterable[tuple[str, ...]]) -> None:
    """Add one per set of labels. Called last in a transaction: everybody who counts waits for these few rows."""
    for values, amount in sorted(Counter(labels).items()):
        key = {"name": name, "labels": json.dumps(values)}
        add_to(connection, tables.counter, key, "value", amount)


def totals(connection: Connection, name: str) -> Mapping[tuple[str, ...], int]:
    """Every total of that name by its labels."""
    counter = tables.counter
    rows = connection.execute(select(counter.c.labels, counter.c.value).where(counter.c.name == name))
    return {tuple(json.loads(labels)): value for labels, value in rows}
