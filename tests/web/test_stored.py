"""The pages and metrics over the real store, across threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from monitor.check import CheckStatus, Watched
from monitor.metrics import Metrics
from monitor.store import Closing, Store
from monitor.store.migrate import upgrade
from monitor.web.pages import pages_app
from monitor.web.server import WebServer
from tests.web.examples import CHECK, INCIDENT, T0, VERDICT, conversation


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A SQLite store with one closed check that opened an incident."""
    url = f"sqlite:///{tmp_path_factory.mktemp('web') / 'monitor.db'}"
    upgrade(url)
    store = Store.open(url)
    store.open_check(replace(CHECK, status=CheckStatus.RUNNING, finished_at=None, summary=None), None)
    store.save_conversation(conversation(), None)
    store.close_check(
        Closing(check=CHECK, slot=None, verdicts=(VERDICT,), states=(), opened=(INCIDENT,), closed=(), notifications=())
    )
    yield store
    store.close()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "average 0.64 is below 0.70"),
        ("/checks/k1", "3 of 4 (75%)"),
        ("/conversations/c1", "unworn and with the receipt"),
        ("/incidents/i1", "assistant-monitor:production:shop/overall"),
    ],
)
def test_what_is_stored_is_shown(store: Store, path: str, shown: str) -> None:
    app = pages_app(store, lambda: store.snapshot({"shop": Watched(threshold=0.7)}, now=T0), clock=lambda: T0)
    server = WebServer(app, host="127.0.0.1", port=0)
    server.start()
    try:
        response = httpx.get("http://{}:{}{}".format(*server.address, path), trust_env=False)
    finally:
        server.stop()
    assert response.status_code == 200
    assert shown in response.text


def test_the_store_s_snapshot_is_exported_as_it_is(store: Store) -> None:
    metrics = Metrics()
    metrics.publish(store.snapshot({"shop": Watched(threshold=0.7)}, now=T0))
    page = metrics.render()[0].decode()
    assert 'assistant_monitor_score{suite="shop"} 0.64\n' in page
    assert 'assistant_monitor_checks_total{status="degraded",suite="shop"} 1.0\n' in page
    assert 'assistant_monitor_incidents_open{suite="shop"} 1.0\n' in page
