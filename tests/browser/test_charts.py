"""Trends with scripts: the chart that takes the place of the server's drawing, for eye, pointer and keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.check import CheckStatus, SuiteSnapshot, Watched
from monitor.web.pages import pages_app
from tests.browser.test_states import served
from tests.browser.visiting import DESKTOP, PHONE, Scheme, assert_sound, visiting
from tests.web.examples import CHECK, SUMMARY, T0, MemoryRecords, snapshot

pytestmark = pytest.mark.timeout(300)

LAST = 7
CHECKS = tuple(
    replace(
        CHECK,
        id=f"k{number}",
        epoch="e1" if number < 4 else "e0",
        started_at=T0 - timedelta(hours=4 * number),
        finished_at=T0 - timedelta(hours=4 * number),
        summary=None if number == 2 else replace(SUMMARY, mean=0.5 + number / 20, standard_error=0.03),
        status=CheckStatus.INCONCLUSIVE if number == 2 else CheckStatus.DEGRADED,
    )
    for number in range(LAST + 1)
)
SUITE = SuiteSnapshot(
    suite="shop", watched=Watched(threshold=0.7), last=CHECKS[0], last_ended=CHECKS[0], last_valid=CHECKS[0]
)
RECORDS = MemoryRecords(stored_checks=CHECKS)
APP = pages_app(RECORDS, lambda: snapshot(SUITE), clock=lambda: T0)
MANY = pages_app(
    RECORDS, lambda: snapshot(*(replace(SUITE, suite=f"shop-{number}") for number in range(20))), clock=lambda: T0
)


def value(page: Page) -> str:
    return page.get_by_role("slider").get_attribute("aria-valuetext") or ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_chart_takes_the_place_of_the_drawing(chromium: Browser, size: tuple[int, int], scheme: Scheme) -> None:
    with served(APP) as url, visiting(chromium, url, scheme=scheme, size=size) as visit:
        page = visit.go("/")
        expect(page.locator(".chart canvas")).to_be_visible()
        expect(page.locator("svg.drawing")).to_be_hidden()
        assert_sound(visit)


def test_without_scripts_the_drawing_stands(chromium: Browser) -> None:
    with served(APP) as url, visiting(chromium, url, has_scripts=False) as visit:
        page = visit.go("/")
        expect(page.locator("svg.drawing")).to_be_visible()
        assert page.locator(".chart").count() == 0


def test_arrows_move_from_check_to_check_and_enter_opens_one(chromium: Browser) -> None:
    with served(APP) as url, visiting(chromium, url) as visit:
        page = visit.go("/")
        slider = page.get_by_role("slider")
        slider.focus()
        assert value(page) == "2026-03-01 12:00 UTC, 0.50, 0.44 to 0.56, below 0.70"
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert value(page) == "2026-03-01 04:00 UTC, not measured"
        page.keyboard.press("Home")
        assert slider.get_attribute("aria-valuenow") == "1"
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".readout")).to_have_text("2026-03-01 08:00 UTC, 0.55, 0.49 to 0.61, below 0.70")
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{url}/checks/k1")


def test_the_pointer_reads_the_nearest_check(chromium: Browser) -> None:
    with served(APP) as url, visiting(chromium, url) as visit:
        page = visit.go("/")
        over = page.locator(".chart .u-over")
        box = over.bounding_box()
        assert box is not None
        over.hover(position={"x": 12, "y": box["height"] / 2})
        expect(page.locator(".readout a")).to_have_attribute("href", f"{url}/checks/k{LAST}")


def test_the_chart_is_drawn_again_in_the_colours_of_the_other_scheme(chromium: Browser) -> None:
    with served(APP) as url, visiting(chromium, url) as visit:
        page = visit.go("/")
        before = page.locator(".chart canvas").evaluate("canvas => canvas.toDataURL()")
        page.emulate_media(color_scheme="dark")
        page.wait_for_function("before => document.querySelector('.chart canvas')?.toDataURL() !== before", arg=before)
        expect(page.locator(".chart")).to_have_count(1)


def test_a_page_that_renews_itself_keeps_the_chart_and_who_is_on_it(chromium: Browser) -> None:
    with served(APP) as url, visiting(chromium, url) as visit:
        visit.page.clock.install()
        page = visit.go("/")
        page.locator("#chart-0").focus()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        there = value(page)
        page.locator("#chart-0").evaluate("chart => { chart.dataset.seen = 'before'; }")
        page.clock.fast_forward("01:05")
        expect(page.locator("#chart-0[data-seen]")).to_have_count(0)
        expect(page.locator("#chart-0")).to_be_focused()
        assert value(page) == there
        assert visit.complaints == []


def test_a_table_that_was_touched_does_not_stop_the_page(chromium: Browser) -> None:
    with served(APP) as url, visiting(chromium, url) as visit:
        visit.page.clock.install()
        page = visit.go("/")
        page.locator(".scroll").last.focus()
        page.locator("main").evaluate("main => { main.firstElementChild.dataset.seen = 'before'; }")
        page.clock.fast_forward("01:05")
        expect(page.locator("main > [data-seen]")).to_have_count(0)
        expect(page.locator(".scroll").last).to_be_focused()


def test_a_table_that_somebody_reads_is_not_taken_away(chromium: Browser) -> None:
    with served(APP) as url, visiting(chromium, url) as visit:
        visit.page.clock.install()
        page = visit.go("/")
        page.get_by_text("The same as a table").click()
        page.locator("main").evaluate("main => { main.firstElementChild.dataset.seen = 'before'; }")
        page.clock.fast_forward("05:00")
        expect(page.locator("#updated")).to_contain_text("stale")
        assert page.locator("main > [data-seen]").count() == 1
        assert_sound(visit)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_twenty_suites_are_as_readable(chromium: Browser, size: tuple[int, int]) -> None:
    with served(MANY) as url, visiting(chromium, url, size=size) as visit:
        page = visit.go("/")
        assert page.locator("table.suites tbody tr").count() == 20
        assert_sound(visit)


@pytest.mark.parametrize("path", ["/suites/shop", "/suites/shop/checks", "/suites/shop/intents/unwell", "/incidents"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_pages_behind_the_overview_are_sound(chromium: Browser, size: tuple[int, int], path: str) -> None:
    with served(APP) as url, visiting(chromium, url, size=size) as visit:
        expect(visit.go(path).locator("h1")).to_be_visible()
        assert_sound(visit)
