"""The page of one check: rounds by intents, the spread of scores, what changed."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from monitor.check import CheckStatus
from monitor.transcript import EndReason
from monitor.verdict import Finding
from monitor.web.checks import SHOWN_CONVERSATIONS, SHOWN_INTENTS
from tests.web.examples import CHECK, RUNNING, SCORE, SUMMARY, T0, MemoryRecords, client, conversation, pages

MEASURED = replace(SUMMARY, mean=0.6, standard_error=0.02)
NEWEST = replace(CHECK, summary=MEASURED)
BEFORE = replace(
    CHECK, id="k0", started_at=T0 - timedelta(hours=4), summary=replace(MEASURED, mean=0.8, standard_error=0.02)
)
HEALTHY = replace(BEFORE, status=CheckStatus.HEALTHY)


async def get(records: MemoryRecords, path: str = "/checks/k1") -> str:
    async with client(pages(records)) as browser:
        return " ".join((await browser.get(path)).text.split())


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


async def test_each_cell_leads_to_its_conversation_and_says_what_became_of_it() -> None:
    talks = (
        conversation("good", intent_id="well"),
        replace(conversation("bad", intent_id="well", score=replace(SCORE, value=0.31)), round=1),
        conversation("gone", intent_id="unwell", end=EndReason.HTTP_STATUS),
    )
    html = await get(MemoryRecords(stored_conversations=talks))
    matrix = html.partition('<table class="matrix">')[2].partition("</table>")[0]
    cells = re.findall(r'class="cell (\w+)" href="/conversations/(\w+)".*?class="unseen">([^<]*)<', matrix)
    assert cells == [
        ("bad", "gone", "round 0: assistant error, 0.00"),
        ("good", "good", "round 0: passed, 0.72"),
        ("bad", "bad", "round 1: failed, 0.31"),
    ]


async def test_a_completed_conversation_that_failed_is_nowhere_green() -> None:
    failed = conversation(score=replace(SCORE, value=0.1), intent_id="well")
    html = await get(MemoryRecords(stored_conversations=(failed,)))
    assert '<span class="badge plain">completed</span>' in html
    assert '<span class="badge bad">failed</span>' in html
    assert "badge good" not in html


async def test_the_spread_is_told_in_words_and_as_a_table() -> None:
    talks = [replace(conversation(f"c{n}", score=replace(SCORE, value=0.05 + n / 4)), round=n) for n in range(4)]
    html = await get(MemoryRecords(stored_conversations=tuple(talks)))
    assert "1 from 0.0 to 0.1, 1 from 0.3 to 0.4, 1 from 0.5 to 0.6, 1 from 0.8 to 0.9" in html
    assert '<th scope="row">0.9 to 1.0</th><td class="num">0</td>' in html


async def test_it_says_what_changed_since_the_last_healthy_check() -> None:
    """Not since the one before it: from the second bad check on nothing would have changed."""
    lost = replace(BEFORE, id="lost", status=CheckStatus.ABORTED, summary=None)
    bad = replace(NEWEST, id="bad", started_at=NEWEST.started_at - timedelta(minutes=1))
    html = words(await get(MemoryRecords(stored_checks=(NEWEST, bad, lost, HEALTHY))))
    assert "Since the last healthy check , of" in html
    assert "the average went from 0.80 to 0.60, −0.20 (95 % interval −0.26 to −0.14; more than chance)" in html


async def test_a_check_before_of_another_epoch_is_not_compared() -> None:
    other = replace(BEFORE, epoch="e0")
    html = words(await get(MemoryRecords(stored_checks=(NEWEST, other))))
    assert "is of another epoch, e0 : the two do not compare" in html
    assert "the average went" not in html


async def test_a_first_check_has_nothing_to_be_compared_with() -> None:
    assert "No valid check lies before this one" in await get(MemoryRecords(stored_checks=(NEWEST,)))


async def test_a_running_check_tells_how_far_it_is_and_renews_its_page() -> None:
    talk = replace(conversation(), check_id=RUNNING.id)
    html = await get(MemoryRecords(stored_checks=(RUNNING,), stored_conversations=(talk,)), "/checks/k2")
    assert '<progress value="1" max="4">' in html
    assert 'data-refresh="60"' in html


async def test_a_check_that_is_over_does_not_renew_its_page() -> None:
    assert "data-refresh" not in await get(MemoryRecords())


async def test_of_many_intents_and_conversations_the_worst_are_shown_and_all_are_a_link_away() -> None:
    intents = tuple(
        replace(SUMMARY.intents[0], intent_id=f"i{n:03}", mean=n / 1000, fingerprint=f"f{n}") for n in range(70)
    )
    talks = tuple(conversation(f"c{n:03}", intent_id=f"i{n:03}") for n in range(70))
    check = replace(NEWEST, summary=replace(MEASURED, intents=intents))
    records = MemoryRecords(stored_checks=(check,), stored_conversations=talks)
    short, whole = await get(records), await get(records, "/checks/k1?intents=all")
    assert rows(short) == [f"i{n:03}" for n in range(SHOWN_INTENTS)]
    assert rows(whole) == [intent.intent_id for intent in intents]
    assert f"{70 - SHOWN_CONVERSATIONS} better ones are not shown" in short


def rows(html: str) -> list[str]:
    matrix = html.partition('<table class="matrix">')[2].partition("</table>")[0]
    return re.findall(r'href="/suites/shop/intents/(\w+)"', matrix)


class ManyVerdicts(MemoryRecords):
    """A check with a verdict on each of very many intents."""

    def verdicts(self, check_id: str, /):  # type: ignore[no-untyped-def]
        (overall,) = super().verdicts(check_id)
        calm = replace(overall, rule="intent", finding=Finding.HOLD)
        return [overall, *(replace(calm, scope=f"shop/i{n}") for n in range(50)), replace(overall, scope="shop/bad")]


async def test_of_many_verdicts_those_that_say_nothing_bad_are_left_out() -> None:
    html = await get(ManyVerdicts())
    assert re.findall(r"<bdi>(shop/\w+)</bdi>", html) == ["shop/overall", "shop/bad"]
    assert "50 more say nothing bad" in html
    assert "shop/i49" in await get(ManyVerdicts(), "/checks/k1?intents=all")


async def test_a_check_whose_intents_are_not_summed_up_yet_shows_its_conversations_by_intent() -> None:
    talks = tuple(replace(conversation(f"c{n}", intent_id=f"i{n}"), check_id=RUNNING.id) for n in (2, 1))
    html = await get(MemoryRecords(stored_checks=(RUNNING,), stored_conversations=talks), "/checks/k2")
    assert rows(html) == ["i1", "i2"]
