"""Pictures of the pages for README: `python -m tests.browser.screenshots FOLDER`, of a demo that runs for it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

from monitor.engine.weights import default_cache_dir
from tests.browser.demo_site import DemoSite, run_demo_site
from tests.browser.visiting import CHROMIUM_ARGUMENTS, PHONE, Scheme, visiting

SIZE = (1180, 820)


def pictures(site: DemoSite) -> dict[str, tuple[str, Scheme, tuple[int, int]]]:
    """By name: the path, the scheme, the window."""
    return {
        "overview": ("/", "light", SIZE),
        "conversation": (f"/conversations/{site.worst.id}", "light", SIZE),
        "incident": (f"/incidents/{site.incident.id}", "dark", SIZE),
        "check": (f"/checks/{site.degraded.id}", "dark", SIZE),
        "intent": (f"/suites/demo/intents/{site.worst.intent_id}", "light", SIZE),
        "review": ("/review", "light", SIZE),
        "overview-phone": ("/", "dark", PHONE),
        "conversation-phone": (f"/conversations/{site.worst.id}", "light", PHONE),
    }


def main(folder: Path) -> None:
    """Write one PNG each."""
    folder.mkdir(parents=True, exist_ok=True)
    program = shutil.which("chromium")
    with TemporaryDirectory() as run, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_ARGUMENTS)
        with run_demo_site(Path(run), cache=default_cache_dir()) as site:
            for name, (path, scheme, size) in pictures(site).items():
                with visiting(browser, site.url, scheme=scheme, size=size) as visit:
                    visit.go(path).screenshot(path=folder / f"{name}.png", animations="disabled")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
