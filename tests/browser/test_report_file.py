"""The HTML report as a file in a real browser: sound on every screen, inert, and whole on paper."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from monitor.check import CheckRecord
from monitor.check_report import Format, write_report
from monitor.store import Store
from tests.browser.visiting import DESKTOP, PHONE, Scheme, Visit, assert_sound, visiting
from tests.check_report.hostile import hostile_check
from tests.check_report.samples import begin, fallen, reported
from tests.store.conftest import sqlite_template

__all__ = ["sqlite_template"]
pytestmark = pytest.mark.timeout(300)

CHECKS: dict[str, Callable[[Store], CheckRecord]] = {
    "fallen": fallen,
    "hostile": hostile_check,
    "running": lambda store: begin(store, "new"),
}
Write = Callable[[str], Path]


@pytest.fixture
def write(sqlite_template: Path, tmp_path: Path) -> Iterator[Write]:
    """Writes the report of the check of that name."""
    store = Store.open(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'monitor.db')}")

    def write_one(name: str) -> Path:
        path = tmp_path / "report.html"
        write_report(reported(store, CHECKS[name](store)), {Format.HTML: path})
        return path

    yield write_one
    store.close()


def opened(visit: Visit) -> Visit:
    visit.go("")
    return visit


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", list(CHECKS))
def test_it_is_sound_and_asks_for_nothing(
    name: str, scheme: Scheme, size: tuple[int, int], write: Write, chromium: Browser
) -> None:
    with visiting(chromium, write(name).as_uri(), scheme=scheme, size=size) as visit:
        page = opened(visit).page
        page.eval_on_selector_all("details", "all => all.forEach((one) => one.open = true)")
        assert_sound(visit)
        assert visit.asked == [visit.base]


def test_its_style_is_let_in_and_a_script_would_not_be(write: Write, chromium: Browser) -> None:
    path = write("fallen")
    path.write_text(path.read_text().replace("</main>", "<script>document.title = 'ran'</script></main>"))
    with visiting(chromium, path.as_uri()) as visit:
        page = opened(visit).page
        assert page.title() == "Check of shop: degraded"
        assert page.eval_on_selector("main", "main => getComputedStyle(main).maxWidth") == "1152px"
        assert re.search("script.*Content Security Policy", " ".join(visit.complaints))


def test_hostile_text_is_text(write: Write, chromium: Browser) -> None:
    with visiting(chromium, write("hostile").as_uri()) as visit:
        page = opened(visit).page
        page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
        assert page.locator("script, img, iframe, object, embed, form").count() == 0
        assert "<script>alert(1)</script>" in page.locator("main").inner_text()


def test_evidence_leads_to_its_turn(write: Write, chromium: Browser) -> None:
    with visiting(chromium, write("fallen").as_uri()) as visit:
        page = opened(visit).page
        page.get_by_role("link", name="Turn 2").first.click()
        turn = page.locator(":target")
        assert turn.locator("mark").inner_text() == "30 days"
        assert turn.is_visible()


def test_on_paper_all_conversations_are_there(write: Write, chromium: Browser) -> None:
    with visiting(chromium, write("fallen").as_uri()) as visit:
        page = opened(visit).page
        closed = page.locator("details.talk:not([open]) .said").first
        assert not closed.is_visible()
        page.emulate_media(media="print")
        assert closed.is_visible()
