"""A Chromium for the tests of a file, and the site that it visits: the demo's, with real checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.demo_site import DemoSite, run_demo_site
from tests.browser.visiting import CHROMIUM_ARGUMENTS
from tests.installed import installed


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Not for the session: until playwright ends, its event loop is this thread's, and no test may have one of its own.
    program = installed("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def demo_site(tmp_path_factory: pytest.TempPathFactory, smollm2_folder: Path) -> Iterator[DemoSite]:
    """The demo, staying up: SmolLM2 plays the users, the assistant broke and was mended."""
    with run_demo_site(tmp_path_factory.mktemp("demo"), cache=smollm2_folder.parent) as site:
        yield site
