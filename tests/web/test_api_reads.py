"""What the API shows of stored data, in parts and by filter; and what no request gets out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from starlette.applications import Starlette

from monitor.check import CheckStatus, Snapshot, SuiteSnapshot, Watched
from monitor.intent import Suite
from monitor.rules.policy import RulesPolicy
from monitor.schedule import Every
from monitor.web.api import Controls
from monitor.web.api.serving import routes_of
from monitor.web.api.suites import Suites
from monitor.web.plans import Plan
from tests.parties import intent
from tests.web.examples import CHECK, RUNNING, T0, TOKEN, client, snapshot
from tests.web.stock import Stocked

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m\u2028"


async def ask(stocked: Stocked, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    async with client(stocked.app()) as tool:
        return await tool.request(method, f"/api/v1{path}", headers=headers)


async def get(stocked: Stocked, path: str) -> Any:
    response = await ask(stocked, path)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_suite_tells_how_it_stands(stocked: Stocked) -> None:
    (suite,) = (await get(stocked, "/suites"))["suites"]
    assert suite == await get(stocked, "/suites/shop")
    assert (suite["suite"], suite["status"], suite["threshold"]) == ("shop", "degraded", 0.7)
    assert (suite["last"]["id"], suite["last"]["summary"]["mean"], suite["next_at"]) == ("k1", 0.64, None)
    assert suite["since"] == T0.isoformat()
    assert [incident["id"] for incident in suite["incidents"]] == ["i1"]
    assert [verdict["finding"] for verdict in suite["verdicts"]] == ["breach"]


async def test_a_suite_that_is_not_there_is_told_with_those_that_are(stocked: Stocked) -> None:
    response = await ask(stocked, "/suites/none")
    assert (response.status_code, response.json()["error"]) == (404, "there is no such suite; there are: shop")


async def test_intents_come_worst_first_with_their_history(stocked: Stocked) -> None:
    shown = await get(stocked, "/suites/shop/intents")
    assert (shown["check_id"], shown["epoch"]) == ("k1", "e1")
    assert [(one["intent_id"], one["mean"]) for one in shown["intents"]] == [
        ("unwell", 0.2),
        ("well", 0.9),
        ("unmeasured", None),
    ]
    (point,) = shown["intents"][0]["history"]
    assert (point["check_id"], point["mean"], point["passed"]) == ("k1", 0.2, 0)


async def test_a_check_comes_with_its_numbers_intents_and_verdicts(stocked: Stocked) -> None:
    check = await get(stocked, "/checks/k1")
    assert (check["status"], check["duration_seconds"], check["is_judged"]) == ("degraded", 180.0, False)
    assert check["summary"]["outcomes"] == {"completed": 2, "assistant_error": 1, "simulator_invalid": 1}
    assert (check["summary"]["error_count"], check["summary"]["valid_share"]) == (1, 0.75)
    assert (len(check["intents"]), check["verdicts"][0]["threshold"], check["fidelity"]["turns"]) == (3, 0.7, 6)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "c3 c2 c1"),
        ("suite=shop", "c3 c2 c1"),
        ("suite=other", ""),
        ("intent=return-window", "c3 c2 c1"),
        ("intent=none", ""),
        ("outcome=completed", "c1"),
        ("passed=false", "c2"),
        ("passed=true", "c1"),
        ("max_score=0", "c2"),
        ("min_score=0.5&max_score=0.9", "c1"),
        ("since=2026-03-01T13:00:15%2B01:00", ""),
        ("until=2026-03-01T12:00:15Z", "c3 c2 c1"),
        ("persona=%00", ""),
    ],
)
async def test_conversations_are_found_by_parameter(stocked: Stocked, query: str, expected: str) -> None:
    shown = await get(stocked, f"/conversations?{query}")
    assert [one["id"] for one in shown["conversations"]] == expected.split()
    assert "turns" not in str(shown)


async def test_the_conversations_of_a_check_are_those_of_no_other(stocked: Stocked) -> None:
    assert len((await get(stocked, "/checks/k1/conversations"))["conversations"]) == 3
    assert (await ask(stocked, "/checks/none/conversations")).status_code == 404
    assert (await ask(stocked, "/checks/k1/conversations?suite=shop")).status_code == 422


async def test_a_conversation_comes_with_turns_evidence_and_later_scores(stocked: Stocked) -> None:
    shown = await get(stocked, "/conversations/c1")
    assert [turn["role"] for turn in shown["turns"]] == ["user", "assistant"] * 2
    assert shown["turns"][3]["tool_calls"][0]["name"] == "find"
    item = shown["components"][0]["items"][0]
    assert (item["id"], item["passed"], item["evidence"]) == (
        "thirty-days",
        True,
        [{"turn": 1, "quote": "within 30 days"}],
    )
    assert [(later["epoch"], later["score"]) for later in shown["rescored"]] == [("e2", None)]


@pytest.mark.parametrize("conversation_id", ["c1", "c2", "c3"])
async def test_a_conversation_says_the_same_in_the_list_and_by_itself(stocked: Stocked, conversation_id: str) -> None:
    listed = (await get(stocked, "/conversations"))["conversations"]
    (line,) = [one for one in listed if one["id"] == conversation_id]
    whole = await get(stocked, f"/conversations/{conversation_id}")
    assert line == {name: whole[name] for name in line}


async def test_the_newest_run_of_the_canaries_is_shown(stocked: Stocked, tmp_path: Any) -> None:
    run = (await get(stocked, "/canaries"))["run"]
    assert (run["id"], run["is_sick"], run["alarms"][0]["ids"]) == ("r1", True, ["parrot"])


async def walk(stocked: Stocked, path: str, name: str) -> list[list[str]]:
    """The ids of each part, by the header Link, which says what `next` says."""
    parts: list[list[str]] = []
    async with client(stocked.app()) as tool:
        address = f"/api/v1{path}"
        while True:
            response = await tool.get(address)
            shown = response.json()
            parts.append([one.get("id", one.get("subject")) for one in shown[name]])
            assert (shown["next"] is None) == ("next" not in response.links)
            if shown["next"] is None:
                return parts
            assert shown["next"] in response.links["next"]["url"]
            address = urljoin(address, response.links["next"]["url"])


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("/conversations?limit=2", "conversations", [["c3", "c2"], ["c1"]]),
        ("/conversations?limit=1&passed=false", "conversations", [["c2"]]),
        ("/checks/k1/conversations?limit=1", "conversations", [["c3"], ["c2"], ["c1"]]),
        ("/checks?limit=1", "checks", [["k1"]]),
        ("/incidents?limit=1", "incidents", [["i1"], ["i0"]]),
        ("/silences?limit=1&all=true", "silences", [["s1"]]),
        ("/audit?limit=1", "audit", [["s1"]]),
        ("/labels?limit=1", "labels", [["l1"]]),
        ("/labels?conversation=c3&by=zoe&sample=chosen&epoch=e1&passed=false", "labels", [["l1"]]),
        ("/labels?until=2026-03-01T12:00:00Z", "labels", [[]]),
        ("/labels?passed=true", "labels", [[]]),
    ],
)
async def test_a_list_is_followed_to_its_end(
    stocked: Stocked, path: str, name: str, expected: Sequence[Sequence[str]]
) -> None:
    assert await walk(stocked, path, name) == expected


async def test_deeds_are_followed_to_their_end(stocked: Stocked) -> None:
    async with client(stocked.app()) as tool:
        for _ in range(3):
            stocked.at += timedelta(seconds=1)
            await tool.post("/api/v1/incidents/i1/ack", json={})
    assert await walk(stocked, "/audit?limit=3", "audit") == [["i1"] * 3, ["s1"]]


PATHS = ["/suites", "/checks/k1", "/conversations/c1", "/incidents", "/openapi.json"]


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_of_it_is_kept_by_caches_and_a_head_is_answered(stocked: Stocked, path: str) -> None:
    got, head = await ask(stocked, path), await ask(stocked, path, "HEAD")
    assert got.headers["cache-control"] == head.headers["cache-control"] == "no-store"
    assert got.headers["content-type"] == head.headers["content-type"] == "application/json"
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(got.content)))


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/checks", {"GET", "HEAD"}), ("/silences", {"GET", "HEAD", "POST"}), ("/incidents/i1/ack", {"POST"})],
)
async def test_a_wrong_method_is_told_the_right_ones(stocked: Stocked, path: str, allowed: set[str]) -> None:
    for method in ("DELETE", "PUT", "OPTIONS", "TRACE"):
        response = await ask(stocked, path, method)
        assert (response.status_code, set(response.headers["allow"].split(", "))) == (405, allowed)
        assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "path",
    [
        "/conversations/..%2f..%2fetc%2fpasswd",
        "/conversations/%2e%2e/checks",
        "/checks/k1%00",
        "/checks/%ff%fe",
        "/checks/" + "x" * 5000,
        "/checks/k1/",
        "//checks",
        "/checks;a=b",
        "/Checks",
    ],
)
async def test_a_path_that_leads_nowhere_is_not_found(stocked: Stocked, path: str) -> None:
    response = await ask(stocked, path)
    assert (response.status_code, set(response.json())) == (404, {"error"})


async def test_hostile_text_is_told_as_it_is_stored_and_only_as_text(stocked: Stocked) -> None:
    store = stocked.store
    check = store.check("k1")
    assert check is not None
    store.open_check(replace(check, id="k2", suite=HOSTILE, status="running", finished_at=None, summary=None), None)  # type: ignore[arg-type]
    response = await ask(stocked, "/checks")
    assert response.json()["checks"][0]["suite"] == HOSTILE
    assert b"\x1b" not in response.content
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_list_whose_filter_is_hostile_leads_on_inertly(stocked: Stocked) -> None:
    response = await ask(stocked, "/conversations?limit=1&suite=shop&intent=return-window")
    assert response.headers["link"].startswith("<?limit=1&suite=shop&intent=return-window&cursor=")
    broken = await ask(stocked, "/conversations?limit=1&persona=%0d%0ax-evil:1%3e")
    assert "x-evil" not in broken.headers


async def test_a_foreign_name_is_refused_in_json(stocked: Stocked) -> None:
    response = await ask(stocked, "/conversations/c1", host="evil.example")
    assert (response.status_code, set(response.json())) == (421, {"error"})


@pytest.mark.parametrize("path", PATHS)
async def test_with_a_token_nothing_is_shown_without_it(stocked: Stocked, path: str) -> None:
    async with client(stocked.app(TOKEN)) as tool:
        for headers in ({}, {"authorization": "Bearer x"}, {"authorization": TOKEN}):
            refused = await tool.get(f"/api/v1{path}", headers=headers)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert set(refused.json()) == {"error"}
        shown = await tool.get(f"/api/v1{path}", headers={"authorization": f"Bearer {TOKEN}"})
    assert shown.status_code == 200


async def test_what_is_not_published_yet_is_away_for_a_while(stocked: Stocked) -> None:
    controls = Controls(operations=stocked.operations)
    suites = Suites(snapshot=lambda: None, plans=dict)
    app = Starlette(routes=routes_of(suites.endpoints(controls)))
    async with client(app) as tool:
        for path in ("/suites", "/suites/shop", "/suites/shop/intents"):
            response = await tool.get(f"/api/v1{path}")
            assert (response.status_code, response.headers["retry-after"]) == (503, "30")


def snapshot_of(**changes: Any) -> Snapshot:
    quiet: dict[str, Any] = {"watched": Watched(threshold=0.7), "last": None, "last_ended": None, "last_valid": None}
    return snapshot(SuiteSnapshot(suite="shop", **quiet | changes))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "unknown"),
        ({"last": RUNNING}, "unknown"),
        ({"watched": Watched(threshold=0.7, is_paused=True)}, "paused"),
        ({"watched": Watched(threshold=0.7, stale_after_seconds=60), "watched_since": T0}, "stale"),
        ({"last_ended": replace(CHECK, status=CheckStatus.INCONCLUSIVE)}, "inconclusive"),
        ({"last": CHECK, "last_ended": CHECK, "last_valid": CHECK}, "degraded"),
    ],
)
async def test_a_suite_has_one_word_for_how_it_stands(stocked: Stocked, changes: dict[str, Any], status: str) -> None:
    plan = Plan(
        suite=Suite(name="shop", assistant="a", intents=(intent(),), rounds=2, timeout_seconds=60, threshold=0.7),
        rules=RulesPolicy(),
        schedule=Every(seconds=3600),
    )
    suites = Suites(snapshot=lambda: snapshot_of(**changes), plans=lambda: {"shop": plan})
    app = Starlette(routes=routes_of(suites.endpoints(Controls(operations=stocked.operations))))
    async with client(app) as tool:
        shown = (await tool.get("/api/v1/suites/shop")).json()
    assert (shown["status"], shown["is_running"]) == (status, changes.get("last") is RUNNING)
    assert (shown["next_at"] is None) == (status == "paused")
    assert status == "paused" or shown["next_at"] > stocked.at.isoformat()
