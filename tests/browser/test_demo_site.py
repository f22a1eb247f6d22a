"""Every page with what the demo's real checks left: users played by SmolLM2, an assistant that broke and was mended."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.demo_site import DemoSite
from tests.browser.visiting import DESKTOP, PHONE, Scheme, assert_sound, visiting

pytestmark = [pytest.mark.model, pytest.mark.timeout(900)]

PAGES: dict[str, Callable[[DemoSite], str]] = {
    "overview": lambda _: "/",
    "suite": lambda _: "/suites/demo",
    "checks": lambda _: "/suites/demo/checks",
    "intent": lambda site: f"/suites/demo/intents/{site.worst.intent_id}",
    "check": lambda site: f"/checks/{site.degraded.id}",
    "conversation": lambda site: f"/conversations/{site.worst.id}",
    "incidents": lambda _: "/incidents",
    "incident": lambda site: f"/incidents/{site.incident.id}",
    "review": lambda _: "/review",
    "not-there": lambda _: "/checks/none",
}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_is_sound(chromium: Browser, demo_site: DemoSite, size: tuple[int, int], scheme: Scheme, name: str) -> None:
    with visiting(chromium, demo_site.url, scheme=scheme, size=size) as visit:
        page = visit.go(PAGES[name](demo_site))
        expect(page.locator("h1")).to_have_count(1)
        assert_sound(visit)


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_it_shows_the_same_headings(chromium: Browser, demo_site: DemoSite, name: str) -> None:
    shown = []
    for has_scripts in (True, False):
        with visiting(chromium, demo_site.url, has_scripts=has_scripts) as visit:
            page = visit.go(PAGES[name](demo_site))
            shown.append(page.locator("h1, h2").all_inner_texts())
    assert shown[0] == shown[1] != []


def test_from_the_incident_to_the_conversation_that_shows_it(chromium: Browser, demo_site: DemoSite) -> None:
    """What whoever is paged does."""
    with visiting(chromium, demo_site.url) as visit:
        page = visit.go("/incidents")
        page.locator("main a[href*='/incidents/']").first.click()
        expect(page.locator("h1")).to_contain_text("demo/overall")
        page.locator("main a[href*='/conversations/']").first.click()
        expect(page.locator(".wants")).to_contain_text("You are")
        expect(page.locator(".chat .turn").first).to_be_visible()
        expect(page.locator(".item .badge").filter(has_text="failed").first).to_be_visible()
        first = page.url
        page.keyboard.press("n")
        page.wait_for_url(lambda url: "/conversations/" in url and url != first)
        page.keyboard.press("p")
        page.wait_for_url(first)


def test_the_keys_of_a_conversation_can_be_turned_off(chromium: Browser, demo_site: DemoSite) -> None:
    """Somebody who speaks to the machine, or types beside the page, must not be carried away."""
    with visiting(chromium, demo_site.url) as visit:
        page = visit.go(f"/conversations/{demo_site.worst.id}")
        keys = page.get_by_role("button", name="Keys")
        keys.click()
        expect(keys).to_have_attribute("aria-pressed", "false")
        page.reload()
        expect(keys).to_have_attribute("aria-pressed", "false")
        there = page.url
        page.keyboard.press("n")
        page.keyboard.press("p")
        assert page.url == there
        keys.click()
        page.keyboard.press("n")
        page.wait_for_url(lambda url: url != there)


def test_evidence_leads_from_the_item_to_the_marked_words_and_back(chromium: Browser, demo_site: DemoSite) -> None:
    with visiting(chromium, demo_site.url) as visit:
        page = visit.go(f"/conversations/{demo_site.quoted.id}")
        page.locator(".item a[href^='#turn-']").first.click()
        target = re.search(r"#(turn-\d+)", page.url)
        assert target
        words = page.locator(f"#{target[1]} a.evidence").first
        expect(words).to_be_in_viewport()
        words.click()
        assert re.search(r"#item-\d+$", page.url)


def test_the_keyboard_alone_reaches_the_main_part(chromium: Browser, demo_site: DemoSite) -> None:
    with visiting(chromium, demo_site.url) as visit:
        page = visit.go("/")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_attribute("href", re.compile("#main"))
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.querySelector('main').contains(document.activeElement)")


def test_an_incident_is_acknowledged_and_silenced_on_its_page(chromium: Browser, demo_site: DemoSite) -> None:
    with visiting(chromium, demo_site.url) as visit:
        page = visit.go(f"/incidents/{demo_site.incident.id}")
        expect(page.locator("main")).to_contain_text("closed")
        silence = page.locator("form[action$='/silence']")
        silence.locator("[name=by]").fill("Somebody on call")
        silence.locator("[name=reason]").fill("the new index is being built")
        silence.locator("button").click()
        expect(page.locator("main")).to_contain_text("the new index is being built")
        assert_sound(visit)


def test_a_conversation_is_labelled_in_the_review_queue(chromium: Browser, demo_site: DemoSite) -> None:
    with visiting(chromium, demo_site.url) as visit:
        page = visit.go("/review")
        page.locator("main a[href*='/review/']").first.click()
        expect(page.locator("h2", has_text="Did the assistant do it?")).to_be_visible()
        assert_sound(visit)
        page.get_by_label("Passed").check()
        page.get_by_label("Reason").fill("it answers what was asked")
        page.get_by_label("Your name").fill("A reviewer")
        page.get_by_role("button", name="Save label").click()
        expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
        assert_sound(visit)
