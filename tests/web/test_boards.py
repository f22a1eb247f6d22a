"""What the pages of suites show, put together from what is stored."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

import pytest

from monitor.check import CheckRecord, CheckStatus, SuiteSnapshot, Watched
from monitor.intent import Suite
from monitor.rules.evidence import Sums
from monitor.rules.memory import IntentMemory, Measured, Memory
from monitor.rules.policy import BaselinePolicy, RulesPolicy
from monitor.schedule import Every
from monitor.store import Baseline
from monitor.web.boards import WORST_INTENTS
from monitor.web.pages import pages_app
from monitor.web.plans import Plan
from tests.web.examples import CHECK, INCIDENT, RUNNING, SUMMARY, T0, MemoryRecords, client, conversation, snapshot

NOW = T0 + timedelta(hours=1)
POLICY = BaselinePolicy(armed=3, full=6)
PLAN = Plan(
    suite=Suite(name="shop", assistant="a", intents=(), rounds=4, timeout_seconds=60.0, threshold=0.7),
    rules=RulesPolicy(baseline=POLICY),
    schedule=Every(4 * 3600.0),
)
MEASURED = replace(SUMMARY, standard_error=0.02)


def check(number: int, **changes: object) -> CheckRecord:
    """A check that ended so many intervals of four hours before the newest."""
    started = T0 - timedelta(hours=4 * number)
    ended = replace(
        CHECK,
        id=f"k{number}",
        started_at=started,
        finished_at=started + timedelta(minutes=3),
        summary=MEASURED,
    )
    return replace(ended, **changes)  # type: ignore[arg-type]


CHECKS = tuple(check(number) for number in range(8))


def shown(name: str = "shop", last: CheckRecord | None = CHECKS[0], **changes: object) -> SuiteSnapshot:
    suite = SuiteSnapshot(suite=name, watched=Watched(threshold=0.7), last=last, last_ended=last, last_valid=last)
    return replace(suite, **changes)  # type: ignore[arg-type]


def baseline(checks: int = 6) -> Baseline:
    """Taken over the oldest of `CHECKS`: both measured intents passed at .9 then."""
    known = IntentMemory(intent_id="x", checks=checks, sums=Sums(count=10, total=9.0, squares=8.5))
    spread = tuple(Measured(at=T0 - timedelta(hours=4 * (7 - n)), mean=0.9, variance=0.001) for n in range(checks))
    memory = Memory(intents={"f-well": known, "f-unwell": known}, spread=spread)
    return Baseline(suite="shop", epoch="e1", version=1, at=T0, memory=memory)


async def overview(records: MemoryRecords, *suites: SuiteSnapshot, path: str = "/", now: datetime = NOW) -> str:
    plans = MappingProxyType({"shop": PLAN})
    app = pages_app(records, lambda: snapshot(*suites), clock=lambda: now, plans=lambda: plans)
    async with client(app) as browser:
        return (await browser.get(path)).text


def stored(*checks: CheckRecord, **changes: object) -> MemoryRecords:
    return replace(MemoryRecords(stored_checks=checks or CHECKS), **changes)  # type: ignore[arg-type]


def fact(html: str, name: str) -> str:
    """What the page says under this heading, without tags."""
    (found,) = re.findall(rf"<dt>{re.escape(name)}</dt><dd>(.*?)</dd>", html, re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", "", found).split())


async def test_it_tells_the_average_its_interval_and_how_far_it_is_from_what_is_wanted() -> None:
    html = await overview(stored(), shown())
    assert fact(html, "Average") == "0.64 0.60 to 0.68 (95 %)"
    assert fact(html, "Wanted") == "0.70 0.06 short of it"


async def test_it_tells_since_when_the_last_check_and_the_next() -> None:
    well = check(2, status=CheckStatus.HEALTHY)
    html = await overview(stored(CHECKS[0], CHECKS[1], well), shown())
    assert fact(html, "Degraded since") == "2026-03-01 08:00:00 UTC"
    assert fact(html, "Last check") == "2026-03-01 12:00:00 UTC"
    assert fact(html, "Next check") == "2026-03-01 16:00:00 UTC"


async def test_a_paused_suite_has_no_next_check() -> None:
    paused = shown(watched=Watched(threshold=0.7, is_paused=True))
    html = await overview(stored(), paused)
    assert fact(html, "Next check") == "paused"
    assert "switched off on purpose" in html


async def test_the_baseline_is_told_and_drawn_from_where_it_holds() -> None:
    html = await overview(stored(stored_baseline=baseline()), shown())
    assert fact(html, "Baseline") == "0.90 now 0.26 lower"
    rows = re.findall(r"<tr data-at.*?</tr>", html, re.DOTALL)
    # newest first: the third of the eight checks armed it, so the five after that one are held against it
    assert [f'data-baseline="{0.9}"' in row for row in rows] == [True] * 5 + [False] * 3


async def test_before_the_baseline_is_armed_none_is_told() -> None:
    html = await overview(stored(stored_baseline=baseline(checks=2)), shown())
    assert fact(html, "Baseline") == "being taken"
    assert "data-baseline" not in html


async def test_checks_of_another_epoch_stand_in_the_trend_and_are_set_apart() -> None:
    older = tuple(check(number, epoch="e0") for number in range(4, 8))
    html = await overview(stored(*CHECKS[:4], *older), shown())
    assert len(re.findall("<tr data-at", html)) == 8
    assert html.count('<path class="epoch" d="M') == 1
    assert "2 epochs, which do not compare" in html


async def test_incidents_of_the_time_are_marked_closed_ones_too() -> None:
    over = replace(
        INCIDENT, id="old", opened_at=T0 - timedelta(hours=9), closed_at=T0 - timedelta(hours=5), close_reason="well"
    )
    other = replace(INCIDENT, id="other", scope="shop2/overall")
    html = await overview(stored(stored_incidents=(INCIDENT, other, over)), shown())
    drawing = html.partition('<svg class="drawing"')[2].partition("</svg>")[0]
    assert drawing.count('class="incident"') == 2
    assert 'href="/incidents/old"' in html
    assert "<li data-from" in html


async def test_the_worst_intents_are_listed_and_the_others_counted() -> None:
    many = tuple(
        replace(SUMMARY.intents[0], intent_id=f"i{number:02}", mean=number / 100, fingerprint=f"f{number}")
        for number in range(30)
    )
    newest = check(0, summary=replace(MEASURED, intents=many))
    html = await overview(stored(newest, *CHECKS[1:]), shown(last=newest))
    listed = re.findall(r'href="/suites/shop/intents/(i\d+)"', html)
    assert listed == [f"i{number:02}" for number in range(WORST_INTENTS)]
    assert "All 30 intents of shop" in html


async def test_the_page_of_a_suite_lists_all_intents_with_their_courses() -> None:
    html = await overview(stored(), shown(), path="/suites/shop")
    assert re.findall(r'href="/suites/shop/intents/(\w+)"', html) == ["unwell", "well", "unmeasured"]
    assert html.count('<svg class="spark"') == 2  # what was never measured has no course


async def test_a_running_check_tells_how_far_it_is() -> None:
    talks = tuple(replace(conversation(f"c{n}"), check_id=RUNNING.id) for n in range(3))
    html = await overview(stored(RUNNING, *CHECKS, stored_conversations=talks), shown(last=RUNNING, last_ended=CHECK))
    assert '<progress value="3" max="4">' in html
    assert "3 of 4 conversations" in html


async def test_more_than_three_suites_stand_in_brief_the_worst_first() -> None:
    well = replace(CHECK, status=CheckStatus.HEALTHY)
    suites = [shown(f"s{number}", last=well) for number in range(19)] + [shown("shop")]
    html = await overview(stored(), *suites)
    assert re.findall(r'href="/suites/(\w+)"', html)[:2] == ["shop", "s0"]
    assert html.count("<tr>") == 1 + 20
    assert "data-trend" not in html


@pytest.mark.parametrize("count", [1, 20])
async def test_without_the_database_the_snapshot_is_told_and_where_it_comes_from(count: int) -> None:
    away = MemoryRecords(is_away=True)
    app = pages_app(away, lambda: snapshot(*(shown(f"s{n}") for n in range(count))), clock=lambda: NOW)
    async with client(app) as browser:
        response = await browser.get("/")
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")
    for words in ("The database is away", "2026-03-01 12:04:00 UTC", "1 incident\nwas open then", "average 0.64 is"):
        assert words in response.text.replace(" was open", "\nwas open")
    assert "None is open" not in response.text


async def test_a_suite_without_a_check_says_when_the_first_is_due() -> None:
    html = await overview(stored(stored_checks=()), shown(last=None))
    assert "No check has run yet. The first is due" in " ".join(html.split())
    assert fact(html, "Next check") == "2026-03-01 16:00:00 UTC"


async def test_a_stale_suite_says_since_when() -> None:
    stale = shown(watched=Watched(threshold=0.7, stale_after_seconds=1800.0))
    html = await overview(stored(), stale)
    assert "Stale since <time" in html
    assert "longer than is allowed" in html


async def test_without_suites_it_says_so() -> None:
    app = pages_app(stored(), lambda: replace(snapshot(), suites=()), clock=lambda: NOW)
    async with client(app) as browser:
        assert "No suite is configured" in (await browser.get("/")).text
