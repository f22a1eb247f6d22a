"""The picture of how a suite stands, for pages elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from starlette.types import ASGIApp

from monitor.check import CheckStatus, Snapshot, SuiteSnapshot, Watched
from monitor.web.badge import draw
from monitor.web.pages import pages_app
from tests.web.examples import CHECK, RUNNING, T0, TOKEN, MemoryRecords, client, snapshot

WELL = replace(CHECK, status=CheckStatus.HEALTHY)
GREEN, RED = "#17693b", "#a4211c"


def suite(**changes: object) -> SuiteSnapshot:
    shown = SuiteSnapshot(suite="shop", watched=Watched(threshold=0.7), last=WELL, last_ended=WELL, last_valid=WELL)
    return replace(shown, **changes)  # type: ignore[arg-type]


def taken(incidents: int = 0, **changes: object) -> Snapshot:
    return replace(snapshot(suite(**changes)), incidents_open={"shop": incidents})


def app(shown: Snapshot | None, *, has_badges: bool = True, token: str | None = TOKEN) -> ASGIApp:
    records = MemoryRecords(is_away=True)  # it must not matter
    return pages_app(records, lambda: shown, token=token, clock=lambda: T0, has_badges=has_badges)


async def told(shown: Snapshot | None, path: str = "/badge/shop.svg") -> tuple[int, str, str]:
    """Status, words and picture."""
    async with client(app(shown)) as browser:
        answer = await browser.get(path)
    title = ElementTree.fromstring(answer.text).find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    return answer.status_code, str(title.text), answer.text


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (taken(), "shop: healthy 0.64"),
        (taken(last_ended=CHECK), "shop: degraded 0.64"),
        (taken(last=RUNNING), "shop: healthy 0.64"),
        (taken(incidents=2), "shop: healthy 0.64, 2 open"),
        (taken(last_ended=replace(CHECK, status=CheckStatus.INCONCLUSIVE)), "shop: inconclusive"),
        (taken(last=None, last_ended=None, last_valid=None), "shop: unknown"),
        (taken(last=RUNNING, last_ended=None, last_valid=None), "shop: unknown"),
        (taken(watched=Watched(threshold=0.7, is_paused=True)), "shop: paused"),
    ],
)
async def test_it_tells_status_and_average_or_that_it_does_not_know(shown: Snapshot, words: str) -> None:
    assert (await told(shown))[:2] == (200, words)


async def test_what_is_too_old_is_stale_and_never_green() -> None:
    old = replace(WELL, finished_at=T0 - timedelta(hours=9))
    shown = taken(last_valid=old, last_ended=old, watched=Watched(threshold=0.7, stale_after_seconds=3600.0))
    _, words, picture = await told(shown)
    assert words == "shop: stale"
    assert GREEN not in picture


async def test_green_is_only_what_is_healthy_and_has_no_open_incident() -> None:
    assert GREEN in (await told(taken()))[2]
    assert GREEN not in (await told(taken(incidents=1)))[2]
    assert RED in (await told(taken(last_ended=CHECK)))[2]


@pytest.mark.parametrize(("shown", "path"), [(taken(), "/badge/other.svg"), (None, "/badge/shop.svg")])
async def test_a_suite_that_is_not_known_is_unknown(shown: Snapshot | None, path: str) -> None:
    status, words, _ = await told(shown, path)
    assert (status, words.partition(": ")[2]) == (404, "unknown")


async def test_pages_elsewhere_may_show_it_and_nobody_may_keep_it() -> None:
    async with client(app(taken())) as browser:
        answer = await browser.get("/badge/shop.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "no-cache" in answer.headers["cache-control"]
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize(("token", "status"), [(TOKEN, 401), (None, 404)])
async def test_unless_it_is_turned_on_there_is_none(token: str | None, status: int) -> None:
    async with client(app(taken(), has_badges=False, token=token)) as browser:
        assert (await browser.get("/badge/shop.svg")).status_code == status


@pytest.mark.parametrize("path", ["/", "/checks/k1", "/api/v1/suites", "/badge", "/static/../badge/../checks/k1"])
async def test_it_opens_nothing_else(path: str) -> None:
    async with client(app(taken())) as browser:
        assert (await browser.get(path)).status_code == 401


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"/><a href="javascript:x">', "\u202eevil", "x" * 5000])
def test_a_hostile_name_stays_a_name(name: str) -> None:
    picture = ElementTree.fromstring(draw(name, "healthy", 0.5))
    tags = {element.tag.rpartition("}")[2] for element in picture.iter()}
    assert tags == {"svg", "title", "rect", "path", "g", "text"}
    assert "\u202e" not in ElementTree.tostring(picture, encoding="unicode")
    assert float(picture.attrib["width"]) < 500
