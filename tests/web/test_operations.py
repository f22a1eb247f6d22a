"""Metrics and health, as machines ask for them."""

from __future__ import annotations

import pytest

from monitor.metrics import OPENMETRICS, Metrics
from monitor.web.health import Health
from monitor.web.operations import operations_app
from tests.web.examples import client, snapshot

WELL = Health(ok=True, reason="ok")
LOADING = Health(ok=False, reason="the user model is loading", details={"seconds": 12.5})


@pytest.mark.parametrize(("path", "health", "ready"), [("/healthz", LOADING, WELL), ("/readyz", WELL, LOADING)])
async def test_who_is_not_well_says_why_with_a_503(path: str, health: Health, ready: Health) -> None:
    async with client(operations_app(Metrics(), lambda: health, lambda: ready)) as browser:
        response = await browser.get(path)
    assert response.status_code == 503
    assert response.json() == {"ok": False, "reason": "the user model is loading", "details": {"seconds": 12.5}}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_who_is_well_says_so_with_a_200(path: str) -> None:
    async with client(operations_app(Metrics(), lambda: WELL, lambda: WELL)) as browser:
        response = await browser.get(path)
    assert (response.status_code, response.json()["ok"]) == (200, True)


async def test_a_scrape_gets_the_published_snapshot() -> None:
    metrics = Metrics()
    metrics.publish(snapshot())
    async with client(operations_app(metrics, lambda: WELL, lambda: WELL)) as browser:
        response = await browser.get("/metrics", headers={"accept": OPENMETRICS})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert 'assistant_monitor_score{suite="shop"} 0.64\n' in response.text


@pytest.mark.parametrize("path", ["/", "/checks/k1", "/conversations/c1", "/static/style.css"])
async def test_nothing_else_is_shown_here(path: str) -> None:
    async with client(operations_app(Metrics(), lambda: WELL, lambda: WELL)) as browser:
        assert (await browser.get(path)).status_code == 404
