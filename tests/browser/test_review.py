"""Labelling as a person does it: with and without scripts, by keyboard, light and dark, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, expect

from monitor.check import Conversation
from monitor.labelling import PersonLabel, Sample
from monitor.web.pages import pages_app
from monitor.web.server import WebServer
from tests.browser.visiting import DESKTOP, PHONE, Scheme, assert_sound, visiting
from tests.web.examples import SCORE, T0, MemoryRecords, assistant, conversation, snapshot, user

pytestmark = pytest.mark.timeout(300)
ASKED = 60


def label(number: int) -> PersonLabel:
    return PersonLabel(
        id=f"l{number}",
        conversation_id=f"c{number}",
        at=T0,
        by="Ann" if number % 3 else "Somebody with a long name",
        passed=number % 5 > 0,
        value=None,
        reason="it answers what was asked",
        sample=Sample.RANDOM if number % 2 else Sample.RISK,
        probability=0.5,
        score=0.72,
        score_passed=number % 4 > 0,
        epoch="e1",
    )


def talk(number: int) -> Conversation:
    turns = (user(f"May I bring it back after {number} days?"), assistant("Yes, within 30 days."))
    score = replace(SCORE, value=number / ASKED)
    return conversation(f"c{number}", turns=turns, score=score, intent_id=f"return-after-{number}-days")


@pytest.fixture
def records() -> MemoryRecords:
    return MemoryRecords(
        stored_conversations=tuple(talk(number) for number in range(ASKED)),
        stored_labels=tuple(label(number) for number in range(44)),
    )


@pytest.fixture
def site(records: MemoryRecords) -> Iterator[str]:
    server = WebServer(pages_app(records, snapshot, clock=lambda: T0), host="127.0.0.1", port=0)
    server.start()
    yield "http://{}:{}".format(*server.address)
    server.stop()


PAGES = {
    "queue": "/review?saved=c1&by=Ann",
    "label": "/review/c50?sample=random&saved=c1&by=Ann",
    "score": "/review/c1?show=score",
}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_each_page_is_sound(chromium: Browser, site: str, size: tuple[int, int], scheme: Scheme, name: str) -> None:
    with visiting(chromium, site, scheme=scheme, size=size) as visit:
        expect(visit.go(PAGES[name]).locator("h1")).to_have_count(1)
        assert_sound(visit)


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_person_labels_one_after_the_other(
    chromium: Browser, site: str, records: MemoryRecords, has_scripts: bool
) -> None:
    before = len(records.stored_labels)
    with visiting(chromium, site, has_scripts=has_scripts) as visit:
        page = visit.go("/review")
        page.locator(".queue li:not(.done) a").first.click()
        page.get_by_label("Your name").fill("Ben")
        for number in range(2):
            expect(page.get_by_label("Your name")).to_have_value("Ben")
            page.get_by_label("Failed").check()
            page.get_by_label("Reason").fill(f"reason {number}")
            page.get_by_role("button", name="Save label").click()
            expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    given = records.stored_labels[before:]
    assert [(one.by, one.passed, one.reason) for one in given] == [("Ben", False, f"reason {n}") for n in range(2)]
    assert given[0].conversation_id != given[1].conversation_id
    assert {one.sample for one in given} <= {Sample.RANDOM, Sample.RISK}


def test_what_is_missing_is_marked_and_what_was_typed_stays(chromium: Browser, site: str) -> None:
    with visiting(chromium, site, size=PHONE) as visit:
        page = visit.go("/review/c50")
        page.get_by_label("Reason").fill("as typed")
        page.get_by_role("button", name="Save label").click()
        expect(page.get_by_role("alert")).to_contain_text("not saved yet")
        expect(page.get_by_label("Reason")).to_have_value("as typed")
        expect(page.get_by_label("Your name")).to_have_attribute("aria-invalid", "true")
        assert_sound(visit)


def test_the_keyboard_alone_is_enough(chromium: Browser, site: str, records: MemoryRecords) -> None:
    before = len(records.stored_labels)
    with visiting(chromium, site) as visit:
        page = visit.go("/review/c50?by=Ann")
        page.get_by_label("Passed").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.type("by keyboard")
        page.keyboard.press("Tab")
        page.keyboard.type("0.75")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
    (given,) = records.stored_labels[before:]
    assert (given.reason, given.value, given.passed) == ("by keyboard", 0.75, True)
