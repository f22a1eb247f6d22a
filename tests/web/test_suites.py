"""Lists of checks and incidents page by page, and the page of one intent."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.check import CheckRecord, IntentSummary, Trigger
from monitor.incident import Incident
from monitor.intent import Intent, Suite
from monitor.rules.evidence import Sums
from monitor.rules.memory import IntentMemory, Measured, Memory
from monitor.rules.policy import BaselinePolicy, RulesPolicy
from monitor.store import Baseline
from monitor.web.pages import pages_app
from monitor.web.plans import Plan
from monitor.web.suites import PAGE
from tests.web.examples import CHECK, INCIDENT, SUMMARY, T0, MemoryRecords, client, conversation, snapshot

INTENT = Intent(
    id="unwell", description="You want to know how long shoes can be returned.", checklist=(), critical=True
)
PLAN = Plan(
    suite=Suite(
        name="shop",
        assistant="a",
        intents=(INTENT, replace(INTENT, id="new")),
        rounds=4,
        timeout_seconds=60.0,
        threshold=0.7,
    ),
    rules=RulesPolicy(baseline=BaselinePolicy(armed=3, full=6)),
    schedule=None,
)


async def ask(path: str, records: MemoryRecords | None = None) -> tuple[int, str]:
    app = pages_app(records or MemoryRecords(), snapshot, clock=lambda: T0, plans=lambda: {"shop": PLAN})
    async with client(app) as browser:
        response = await browser.get(path)
    return response.status_code, response.text


def older(html: str) -> str:
    (found,) = re.findall(r'rel="next" href="([^"]*)"', html)
    return str(found).replace("&amp;", "&")


def checks(count: int) -> tuple[CheckRecord, ...]:
    return tuple(replace(CHECK, id=f"k{n}", started_at=T0 - timedelta(hours=n)) for n in range(count))


async def test_checks_are_listed_page_by_page_to_the_oldest() -> None:
    records = MemoryRecords(stored_checks=checks(2 * PAGE + 3))
    path, found = "/suites/shop/checks", []
    for _ in range(2):
        _, html = await ask(path, records)
        found += re.findall(r'href="/checks/(k\d+)"', html)
        path = older(html)
    _, html = await ask(path, records)
    found += re.findall(r'href="/checks/(k\d+)"', html)
    assert found == [check.id for check in records.stored_checks]
    assert 'rel="next"' not in html
    assert ">Newest</a>" in html


async def test_checks_made_by_hand_are_listed_and_marked() -> None:
    by_hand = replace(CHECK, trigger=Trigger.MANUAL)
    _, html = await ask("/suites/shop/checks", MemoryRecords(stored_checks=(by_hand,)))
    assert "by hand" in html


async def test_checks_of_a_suite_that_is_not_watched_any_more_are_still_listed() -> None:
    gone = replace(CHECK, suite="gone")
    status, html = await ask("/suites/gone/checks", MemoryRecords(stored_checks=(gone,)))
    assert (status, 'href="/suites/gone"' in html) == (200, False)


@pytest.mark.parametrize(
    "path", ["/suites/none", "/suites/none/checks", "/suites/none/intents/unwell", "/suites/shop/intents/none"]
)
async def test_what_nobody_knows_is_not_there(path: str) -> None:
    assert (await ask(path))[0] == 404


async def test_a_suite_without_checks_says_so() -> None:
    assert "No check of this suite is stored yet" in (await ask("/suites/shop/checks", MemoryRecords(())))[1]


def incidents(count: int) -> tuple[Incident, ...]:
    """Newest first; every second one is closed."""
    return tuple(
        replace(
            INCIDENT,
            id=f"i{n}",
            opened_at=T0 - timedelta(hours=n),
            closed_at=T0 if n % 2 else None,
            close_reason="well again" if n % 2 else "",
        )
        for n in range(count)
    )


@pytest.mark.parametrize(("state", "shown"), [("all", ["i0", "i1", "i2"]), ("open", ["i0", "i2"]), ("closed", ["i1"])])
async def test_incidents_are_listed_by_their_state(state: str, shown: list[str]) -> None:
    _, html = await ask(f"/incidents?state={state}", MemoryRecords(stored_incidents=incidents(3)))
    assert re.findall(r'href="/incidents/(i\d)"', html) == shown
    assert re.findall(r'href="([^"]*)" aria-current="true"', html) == [f"/incidents?state={state}"]


async def test_incidents_are_listed_page_by_page_in_their_state() -> None:
    records = MemoryRecords(stored_incidents=incidents(2 * (PAGE + 1)))
    _, html = await ask("/incidents?state=open", records)
    _, html = await ask(older(html), records)
    assert re.findall(r'href="/incidents/(i\d+)"', html) == [f"i{2 * PAGE}"]


async def test_a_state_that_there_is_not_is_refused() -> None:
    assert (await ask("/incidents?state=maybe"))[0] == 400


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/incidents", "No incident has been opened yet"),
        ("/incidents?state=open", "No incident is open"),
        ("/incidents?state=closed", "No incident has been opened and closed yet"),
        ("/incidents?before=i1", "There are no older incidents"),
    ],
)
async def test_a_list_without_incidents_says_which_are_missing(path: str, words: str) -> None:
    assert words in (await ask(path, MemoryRecords(stored_incidents=())))[1]


def played(number: int, passed: int, fingerprint: str = "f-unwell") -> CheckRecord:
    intent: IntentSummary = replace(
        SUMMARY.intents[2], valid=4, planned=4, passed=passed, mean=passed / 4, fingerprint=fingerprint
    )
    started = T0 - timedelta(hours=4 * number)
    summary = replace(SUMMARY, intents=(intent,))
    return replace(
        CHECK, id=f"k{number}", started_at=started, finished_at=started + timedelta(minutes=3), summary=summary
    )


COURSE = (played(0, 1), *(played(number, 4) for number in range(1, 6)), played(6, 0, "f-before"))


def known(**changes: object) -> Baseline:
    memory = IntentMemory(
        intent_id="unwell", checks=5, sums=Sums(count=20, total=18.0, squares=17.0), passes=19, trials=20
    )
    memory = replace(memory, **changes)  # type: ignore[arg-type]
    spread = tuple(Measured(at=T0 - timedelta(hours=4 * (6 - n)), mean=0.9, variance=0.001) for n in range(5))
    return Baseline(
        suite="shop", epoch="e1", version=1, at=T0, memory=Memory(intents={"f-unwell": memory}, spread=spread)
    )


async def test_an_intent_tells_what_it_wants_how_often_it_passes_and_what_its_rule_expects() -> None:
    records = MemoryRecords(stored_checks=COURSE, stored_baseline=known(is_breached=True, since=T0))
    _, html = await ask("/suites/shop/intents/unwell", records)
    words = " ".join(re.sub(r"<[^>]*>", " ", html).split())
    assert "You want to know how long shoes can be returned." in words
    assert "1 of 4 5% to 70% (95 %)" in words
    assert "0.25 0.90 in the baseline" in words
    assert "passed 93% before; in breach once it looks like 46% or less, well again above 70%" in words
    assert "failing by its rule" in words


async def test_the_course_of_an_intent_breaks_where_it_was_edited() -> None:
    _, html = await ask("/suites/shop/intents/unwell", MemoryRecords(stored_checks=COURSE, stored_baseline=known()))
    passes = html.partition("Share passed by check")[2].partition("</figure>")[0]
    rows = re.findall(r"<tr data-at.*?</tr>", passes, re.DOTALL)
    assert len(rows) == 7
    assert 'data-wanted="0.6964"' in rows[0]
    assert 'data-baseline="0.9286"' in rows[0]
    assert "data-wanted" not in rows[6]
    assert '<path class="epoch"' in passes


@pytest.mark.parametrize(
    ("baseline", "words"),
    [
        (None, "not armed: 0 of 3 checks"),
        (known(checks=2), "not armed: 2 of 3 checks"),
        (known(passes=1), "passes too seldom to be watched"),
    ],
)
async def test_a_rule_that_does_not_watch_an_intent_says_why(baseline: Baseline | None, words: str) -> None:
    records = MemoryRecords(stored_checks=COURSE, stored_baseline=baseline)
    assert words in (await ask("/suites/shop/intents/unwell", records))[1]


async def test_an_intent_that_was_never_played_says_so() -> None:
    status, html = await ask("/suites/shop/intents/new", MemoryRecords(stored_checks=COURSE))
    assert (status, "not part of any of the newest checks yet" in html) == (200, True)


async def test_an_intent_that_is_played_no_more_keeps_its_page() -> None:
    _, html = await ask("/suites/shop/intents/well")
    assert "This intent is not played any more" in html


async def test_conversations_of_an_intent_come_worst_first_with_its_open_incident() -> None:
    bad = replace(conversation("bad", intent_id="unwell"), check_id="k1")
    bad = replace(bad, score=replace(bad.score, value=0.1))
    records = MemoryRecords(
        stored_checks=COURSE,
        stored_conversations=(replace(conversation("good", intent_id="unwell"), check_id="k0"), bad),
        stored_incidents=(replace(INCIDENT, scope="shop/unwell"),),
    )
    _, html = await ask("/suites/shop/intents/unwell", records)
    assert re.findall(r'href="/conversations/(\w+)"', html) == ["bad", "good"]
    assert 'href="/incidents/i1"' in html


async def test_an_intent_whose_conversations_are_past_their_retention_says_so() -> None:
    _, html = await ask("/suites/shop/intents/unwell", MemoryRecords(stored_checks=COURSE, stored_conversations=()))
    assert "None is kept" in html
