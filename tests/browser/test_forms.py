"""Forms sent by a browser to a name instead of this machine, over plain HTTP: there it says less about where it is."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from monitor.store import Store
from monitor.store.migrate import upgrade
from monitor.web.server import WebServer
from tests.browser.visiting import CHROMIUM_ARGUMENTS, visiting
from tests.installed import installed
from tests.web.stock import Stocked, stock

pytestmark = pytest.mark.timeout(300)
NAME = "monitor.test"


@pytest.fixture
def knowing(chromium: Browser) -> Iterator[Browser]:
    """A browser that takes the name for this machine."""
    arguments = [*CHROMIUM_ARGUMENTS, f"--host-resolver-rules=MAP {NAME} 127.0.0.1"]
    program = installed("chromium", "chromium")
    browser = chromium.browser_type.launch(executable_path=program, args=arguments)
    yield browser
    browser.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'monitor.sqlite3'}"
    upgrade(url)
    opened = Store.open(url)
    stock(opened)
    yield opened
    opened.close()


@pytest.fixture
def base(store: Store) -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    address = f"http://{NAME}:{port}"
    server = WebServer(Stocked(store).app(base_url=address), host="127.0.0.1", port=port)
    server.start()
    yield address
    server.stop()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_an_incident_is_taken(knowing: Browser, base: str, store: Store, has_scripts: bool) -> None:
    with visiting(knowing, base, has_scripts=has_scripts) as visit:
        page = visit.go("/incidents/i1")
        page.locator("#ack-by").fill("Ann")
        page.get_by_role("button", name="Take it").click()
        expect(page.get_by_text("It is taken")).to_be_visible()
    incident = store.incident("i1")
    assert incident
    assert incident.acked_by == "Ann"


def test_a_page_of_another_site_sends_its_forms_in_vain(knowing: Browser, base: str, store: Store) -> None:
    form = (
        f"<form method=post action='{base}/incidents/i1/resolve'><input name=by value=Eve>"
        "<input name=reason value=x><button>win</button></form>"
    )
    with visiting(knowing, base) as visit:
        page = visit.page
        page.route("http://evil.test/", lambda route: route.fulfill(body=form, content_type="text/html"))
        page.goto("http://evil.test/")
        page.get_by_role("button", name="win").click()
        expect(page.get_by_text("another site")).to_be_visible()
    incident = store.incident("i1")
    assert incident
    assert incident.closed_at is None
