"""What the store costs whoever looks: pages and metrics over real web servers, asked from another process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from sqlalchemy import Connection, select
from starlette.types import ASGIApp

from monitor.check import Watched
from monitor.metrics import Metrics
from monitor.rules.policy import RulesPolicy
from monitor.schedule import Every
from monitor.store import Store, tables
from monitor.web.health import Health
from monitor.web.operations import operations_app
from monitor.web.pages import pages_app
from monitor.web.plans import Plan
from monitor.web.server import WebServer
from tests.benchmarks.store.asking import milliseconds
from tests.benchmarks.store.samples import SUITE
from tests.benchmarks.store.timing import p95
from tests.benchmarks.store.world import EVERY, NOW, World

WATCHED = {SUITE: Watched(threshold=0.7, stale_after_seconds=36_000.0)}


def show(store: Store, world: World, ids: list[str], *, requests: int, seed: int) -> dict[str, float]:
    """The figures of pages and metrics. `ids` are those of all conversations; some of them are looked at.

    What is configured of the world's suite is what the pages tell beside what is stored.
    """
    metrics = Metrics(suites=WATCHED)
    metrics.publish(store.snapshot(WATCHED, now=NOW))
    plans = {SUITE: Plan(suite=world.suite, rules=RulesPolicy(), schedule=Every(EVERY.total_seconds()))}
    pages = pages_app(store, lambda: metrics.snapshot, clock=lambda: NOW, plans=lambda: plans)
    with serving(pages) as address:
        overview = milliseconds(address, ["/"] * requests)
        looked_at = Random(seed).choices(ids, k=2 * requests)
        conversation = milliseconds(address, [f"/conversations/{one}" for one in looked_at])
    healthy = Health(ok=True, reason="ok")
    with serving(operations_app(metrics, lambda: healthy, lambda: healthy)) as address:
        still = milliseconds(address, ["/metrics"] * requests)
        with taken_anew(store, metrics) as snapshots:
            scraped = milliseconds(address, ["/metrics"] * requests)
    return {
        "overview_p95_ms": p95(overview),
        "conversation_p95_ms": p95(conversation),
        "metrics_p95_ms": p95(scraped),
        "metrics_without_snapshots_p95_ms": p95(still),
        "snapshot_p95_ms": p95(snapshots),
        "snapshots": len(snapshots),
    }


def conversation_ids(connection: Connection) -> list[str]:
    """All of them, in an order that is the same each time."""
    return sorted(connection.execute(select(tables.conversation.c.id)).scalars())


@contextmanager
def serving(app: ASGIApp) -> Iterator[tuple[str, int]]:
    """The application on a web server of the product; host and port."""
    server = WebServer(app, host="127.0.0.1", port=0)
    server.start()
    try:
        yield server.address
    finally:
        server.stop()


@contextmanager
def taken_anew(store: Store, metrics: Metrics) -> Iterator[list[float]]:
    """Snapshots are taken and published one after the other, without a pause; milliseconds of each."""
    taken: list[float] = []
    enough = threading.Event()

    def publish() -> None:
        while not enough.is_set():
            began = time.perf_counter()
            metrics.publish(store.snapshot(WATCHED, now=NOW))
            taken.append((time.perf_counter() - began) * 1000)

    thread = threading.Thread(target=publish, name="snapshots")
    thread.start()
    try:
        yield taken
    finally:
        enough.set()
        thread.join()
