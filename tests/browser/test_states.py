"""The pages where there is nothing, not yet, no more, or nothing that answers; and with texts that want to be more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from starlette.types import ASGIApp

from monitor.check import CheckStatus, Snapshot, SuiteSnapshot, Watched
from monitor.score import ComponentScore, Evidence, ItemScore, Score
from monitor.store import Store
from monitor.store.migrate import upgrade
from monitor.transcript import Sampled, ToolCall
from monitor.web.pages import pages_app
from monitor.web.server import WebServer
from tests.browser.visiting import DESKTOP, PHONE, Scheme, Visit, assert_sound, visiting
from tests.web.examples import CHECK, RUNNING, T0, TOKEN, MemoryRecords, assistant, conversation, snapshot, user
from tests.web.stock import Stocked, stock

pytestmark = pytest.mark.timeout(300)

STALE = Watched(threshold=0.7, stale_after_seconds=3600.0)


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    server = WebServer(app, host="127.0.0.1", port=0)
    server.start()
    try:
        yield "http://{}:{}".format(*server.address)
    finally:
        server.stop()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'monitor.sqlite3'}"
    upgrade(url)
    opened = Store.open(url)
    yield opened
    opened.close()


def memory(
    records: MemoryRecords | None = None,
    *suites: SuiteSnapshot,
    at: datetime = T0,
    taken: Callable[..., Snapshot | None] = snapshot,
) -> ASGIApp:
    return pages_app(records or MemoryRecords(), lambda: taken(*suites), clock=lambda: at)


def suite(**changes: object) -> SuiteSnapshot:
    return replace(
        SuiteSnapshot(suite="shop", watched=Watched(threshold=0.7), last=CHECK, last_ended=CHECK, last_valid=CHECK),
        **changes,  # type: ignore[arg-type]
    )


NOTHING = MemoryRecords(stored_checks=(), stored_conversations=(), stored_incidents=())
NEVER_CHECKED = suite(last=None, last_ended=None, last_valid=None)
FORGOTTEN = MemoryRecords(stored_conversations=())
STATES: dict[str, tuple[str, ASGIApp, str]] = {
    "just started": ("/", memory(NOTHING, taken=lambda: None), "just started"),
    "no check yet": ("/", memory(NOTHING, NEVER_CHECKED), "no check yet"),
    "no incident": ("/incidents", memory(NOTHING), "No incident has been opened yet"),
    "a check runs": (
        f"/checks/{RUNNING.id}",
        memory(MemoryRecords(stored_checks=(RUNNING,)), suite(last=RUNNING)),
        "running",
    ),
    "conversations retired": (f"/checks/{CHECK.id}", memory(FORGOTTEN), "retention"),
    "nothing to review": ("/review", memory(NOTHING), "There is nothing to review"),
    "no such page": ("/conversations/none", memory(NOTHING), "There is no such page"),
    "database away": ("/", memory(MemoryRecords(is_away=True)), "database is away"),
    "database away, a check": ("/checks/k1", memory(MemoryRecords(is_away=True)), "database is away"),
    "stale": ("/", memory(None, suite(watched=STALE), at=T0 + timedelta(hours=9)), "stale"),
    "sign in": ("/", pages_app(MemoryRecords(), snapshot, token=TOKEN, clock=lambda: T0), "Sign in"),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_each_state_is_told_and_sound(chromium: Browser, size: tuple[int, int], scheme: Scheme, state: str) -> None:
    path, app, words = STATES[state]
    with served(app) as url, visiting(chromium, url, scheme=scheme, size=size) as visit:
        expect(visit.go(path).locator("main")).to_contain_text(words, ignore_case=True)
        assert_sound(visit)


def test_a_page_that_grows_old_turns_grey_by_itself(chromium: Browser) -> None:
    with served(memory()) as url, visiting(chromium, url) as visit:
        visit.page.clock.install()
        page = visit.go("/incidents/i1")
        updated = page.locator("#updated")
        fresh = updated.evaluate("element => getComputedStyle(element).backgroundColor")
        page.clock.fast_forward("05:00")
        expect(updated).to_contain_text("5 min ago")
        page.clock.fast_forward("05:00:00")
        expect(updated).to_contain_text("stale")
        assert updated.evaluate("element => getComputedStyle(element).backgroundColor") != fresh
        assert_sound(visit)


def test_the_overview_renews_itself_and_says_when_nobody_answers(chromium: Browser) -> None:
    records = replace(NOTHING)
    app = pages_app(records, lambda: snapshot(suite()), clock=lambda: T0)
    with visiting(chromium, "http://127.0.0.1") as visit:
        visit.page.clock.install()
        with served(app) as url:
            page = visit.page
            page.goto(url)
            assert page.locator("main a[href*='/incidents/i1']").count() == 0
            records.stored_incidents = MemoryRecords().stored_incidents
            page.clock.fast_forward("01:05")
            expect(page.locator("main a[href*='/incidents/i1']").first).to_be_visible()
        page.clock.fast_forward("01:05")
        expect(page.locator("#updated")).to_contain_text("Not reached since")


def test_pages_say_that_the_database_is_away_and_come_back_with_it(chromium: Browser) -> None:
    records = MemoryRecords()
    app = pages_app(records, lambda: snapshot(suite()), clock=lambda: T0)
    with served(app) as url, visiting(chromium, url) as open_before, visiting(chromium, url) as opened_then:
        for visit in (open_before, opened_then):
            visit.page.clock.install()
        open_before.go("/suites/shop")
        records.is_away = True
        opened_then.go("/checks/k1")
        expect(opened_then.page.locator("h1")).to_have_text("The database is away")
        open_before.page.clock.fast_forward("01:05")
        expect(open_before.page.locator("#updated")).to_contain_text("The database is away since")
        records.is_away = False
        open_before.page.clock.fast_forward("01:05")
        expect(open_before.page.locator("#updated")).not_to_contain_text("away")
        opened_then.page.clock.fast_forward("01:05")
        expect(opened_then.page.locator("h1")).to_contain_text("Check")


def test_signing_in_opens_the_page_that_was_asked_for(chromium: Browser, store: Store) -> None:
    stock(store)
    with served(Stocked(store).app(token=TOKEN)) as url, visiting(chromium, url) as visit:
        page = visit.go("/checks/k1?intents=all")
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert axe_is_content(visit)
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{url}/checks/k1?intents=all")
        assert TOKEN not in page.url


def test_who_is_signed_out_meanwhile_is_told_so(chromium: Browser, store: Store) -> None:
    stock(store)
    with served(Stocked(store).app(token=TOKEN)) as url, visiting(chromium, url) as visit:
        page = visit.page
        page.clock.install()
        page.goto(f"{url}/")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state()
        expect(page.locator("h1")).to_have_text("Overview")
        page.context.clear_cookies()
        page.clock.fast_forward("01:05")
        expect(page.locator("#updated")).to_contain_text("Signed out")


def axe_is_content(visit: Visit) -> bool:
    """A refused sign-in is an answer like any other page."""
    assert_sound(visit)
    return True


HOSTILE = (
    "<script>window.owned = 1</script><img src=x onerror='window.owned = 1'>"
    "\"' onmouseover='window.owned = 1' autofocus onfocus='window.owned = 1' x=\""
    "</textarea></title><svg onload=owned=1>"
    "<a href='javascript:window.owned=1'>refund</a> [refund](javascript:window.owned=1) javascript:window.owned=1 "
    "<style>*{display:none}</style><meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>"
    "<iframe src='http://127.0.0.1:9/'></iframe><form action='http://127.0.0.1:9/'><button>Approve</button></form>"
    "{{ 7 * 7 }} \x1b[31mred\x1b[0m \u202eevil\u202c <!channel> <@U123> <https://127.0.0.1:9|Approve> ```"
)
QUOTED = "onerror='window.owned = 1'"


def hostile(store: Store) -> None:
    """Every text that an assistant, a user model, a judge or a tool can write, hostile."""
    call = ToolCall(name=HOSTILE, arguments=HOSTILE, result=HOSTILE, is_error=True, was_reported=True)
    turns = (user(HOSTILE, sampled=Sampled(tries=2, hits=(HOSTILE,))), assistant(HOSTILE, 2.0, (call,)))
    item = ItemScore(
        id="hostile",
        kind="judge",
        value=0.0,
        reason=HOSTILE,
        evidence=(Evidence(turn=1, quote=HOSTILE), Evidence(turn=1, quote=QUOTED), Evidence(turn=0, quote="<script>")),
    )
    task = ComponentScore(name="task", value=0.0, reason=HOSTILE, items=(item,))
    score = Score(value=0.0, reason=HOSTILE, gate=0.0, components=(task,))
    store.open_check(replace(CHECK, id="h", status=CheckStatus.RUNNING, finished_at=None, summary=None), None)
    said = conversation("hostile", turns=turns, score=score, detail=HOSTILE)
    store.save_conversation(replace(said, check_id="h", id="hostile"), None)


@pytest.mark.parametrize("path", ["/conversations/hostile", "/checks/h", "/review", "/review/hostile", "/checks"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_hostile_texts_stay_texts(chromium: Browser, store: Store, size: tuple[int, int], path: str) -> None:
    stock(store)
    hostile(store)
    with served(Stocked(store).app()) as url, visiting(chromium, url, size=size) as visit:
        page = visit.go(path)
        expect(page.locator("body")).to_be_visible()
        assert page.evaluate("() => window.owned") is None
        assert page.locator("iframe, main style, main script:not([type='application/json']), main meta").count() == 0
        assert page.locator("a[href^='javascript:'], [onerror], [onmouseover], [onfocus], [onload]").count() == 0
        assert_sound(visit)


def test_hostile_evidence_is_marked_in_its_turn(chromium: Browser, store: Store) -> None:
    hostile(store)
    with served(Stocked(store).app()) as url, visiting(chromium, url) as visit:
        page = visit.go("/conversations/hostile")
        assert QUOTED in "".join(page.locator("#turn-2 mark").all_inner_texts())
