"""How a test looks at a page: as which screen, and what must hold of every page whatever it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = (1280, 900), (360, 740)

Scheme = Literal["light", "dark"]


@dataclass(slots=True)
class Visit:
    """A page that is open. `complaints`: what the browser found wrong with it. `asked`: the addresses it asked for."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a path of the site."""
        self.page.goto(self.base.rstrip("/") + path)
        return self.page

    def note_console(self, message: ConsoleMessage) -> None:
        """Keep what is no mere remark; that a page was answered with an error is what some tests are about."""
        is_answer = message.text.startswith("Failed to load resource")
        if message.type in {"error", "warning"} and not is_answer:
            self.complaints.append(message.text)

    def note_request(self, request: Request) -> None:
        """Keep where the page went."""
        self.asked.append(request.url)

    @property
    def asked_elsewhere(self) -> list[str]:
        """What was asked of other hosts."""
        home = urlsplit(self.base).netloc
        return [url for url in self.asked if urlsplit(url).scheme != "data" and urlsplit(url).netloc != home]


@contextmanager
def visiting(
    browser: Browser,
    base: str,
    *,
    scheme: Scheme = "light",
    size: tuple[int, int] = DESKTOP,
    has_scripts: bool = True,
    headers: dict[str, str] | None = None,
) -> Iterator[Visit]:
    """A fresh window. Nothing of earlier visits is in it."""
    width, height = size
    context = browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": height},
        java_script_enabled=has_scripts,
        extra_http_headers=headers or {},
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    visit = Visit(page, base)
    page.on("console", partial(Visit.note_console, visit))
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("request", partial(Visit.note_request, visit))
    try:
        yield visit
    finally:
        context.close()


def axe_violations(page: Page) -> list[str]:
    """What axe finds wrong: each rule with the places."""
    found: dict[str, Any] = Axe().run(page).response
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def overflow(page: Page) -> list[str]:
    """The elements that make the page wider than its window; none of them where it fits."""
    wide: list[str] = page.evaluate(
        """() => {
            const wide = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= wide) return [];
            return [...document.body.querySelectorAll("*")]
                .filter((element) => element.getBoundingClientRect().right > wide + 1)
                .map((element) => element.outerHTML.slice(0, 120));
        }"""
    )
    return wide


def assert_sound(visit: Visit) -> None:
    """What holds of every page: nothing inaccessible, nothing cut off, no complaint of the browser, nothing foreign."""
    assert axe_violations(visit.page) == []
    assert overflow(visit.page) == []
    assert visit.complaints == []
    assert visit.asked_elsewhere == []
