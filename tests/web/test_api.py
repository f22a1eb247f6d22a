"""The API on a real database: what it shows, what it does, and what it refuses with which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from monitor.briefing import Surroundings
from monitor.closing import Known, changes_of
from monitor.errors import StaleWrite, StoreUnavailable
from monitor.machine import AlertPolicy
from monitor.maintenance import Again, Maintenance
from monitor.operations import Operations
from monitor.rules.memory import Memory
from monitor.rules.policy import RulesPolicy
from monitor.schedule import Cron
from monitor.store import AlertChanges, Baseline, Store
from monitor.web.api import Api, Controls
from monitor.web.bodies import MOST_BYTES
from monitor.web.pages import pages_app
from tests.web.examples import T0, TOKEN, VERDICT, MemoryRecords, client, snapshot

HOME = Surroundings(app="app", environment="prod", base_url=None)
LOUD = AlertPolicy.everywhere("slack")
JSON = {"content-type": "application/json", "host": "localhost"}
QUIET = {"pattern": "shop/*", "reason": "release", "lasting_seconds": 3600}


class Desk:
    """A store with one open incident and the API on it; `changes` counts how often the sender was woken."""

    def __init__(self, store: Store) -> None:
        self.store, self.at, self.changes = store, T0, 0
        self.operations = Operations(
            store=store,
            policy_of=lambda _: LOUD,
            rules_of=lambda scope: RulesPolicy() if scope == "shop/overall" else None,
            surroundings=HOME,
            now=self.now,
            maintenance=[
                Maintenance(
                    name="nightly", scopes=("shop/*",), when=Again(cron=Cron("0 2 * * *"), lasting=timedelta(hours=2))
                )
            ],
        )
        self.controls = Controls(operations=lambda: self.operations, changed=self.changed)
        known = Known(state=store.alert_state("shop/overall"))
        store.change_alerts(changes_of([VERDICT], known, LOUD, HOME, T0))
        (self.incident,) = store.incidents()

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def changed(self) -> None:
        self.changes += 1

    def app(self, token: str | None = None) -> ASGIApp:
        return pages_app(MemoryRecords(), snapshot, token=token, clock=lambda: T0, api=Api(self.controls))

    async def get(self, path: str, **query: Any) -> httpx.Response:
        async with client(self.app()) as tool:
            return await tool.get(path, params=query or None)

    async def post(self, path: str, document: object = None, **changes: Any) -> httpx.Response:
        given = {} if document is None else {"json": document}
        async with client(self.app()) as tool:
            return await tool.post(path, **({"headers": JSON} | given | changes))  # type: ignore[arg-type]


@pytest.fixture
def desk(sqlite_store: Store) -> Desk:
    return Desk(sqlite_store)


async def test_incidents_are_listed_all_or_as_they_are(desk: Desk) -> None:
    async def ids(**query: str) -> list[str]:
        found = (await desk.get("/api/v1/incidents", **query)).json()["incidents"]
        return [incident["id"] for incident in found]

    assert [await ids(), await ids(open="true"), await ids(open="false")] == [[desk.incident.id]] * 2 + [[]]
    await desk.post(f"/api/v1/incidents/{desk.incident.id}/resolve", {"by": "ops"})
    assert [await ids(), await ids(open="true"), await ids(open="false")] == [
        [desk.incident.id],
        [],
        [desk.incident.id],
    ]


async def test_one_incident_is_shown_with_what_was_told_of_it(desk: Desk) -> None:
    shown = (await desk.get(f"/api/v1/incidents/{desk.incident.id}")).json()
    assert (shown["scope"], shown["rule"], shown["closed_at"]) == ("shop/overall", "mean", None)
    assert [(told["channel"], told["kind"], told["status"]) for told in shown["notifications"]] == [
        ("slack", "open", "pending")
    ]


async def test_an_incident_is_taken_by_whoever_says_so_and_the_sender_is_woken(desk: Desk) -> None:
    path = f"/api/v1/incidents/{desk.incident.id}/ack"
    taken = await desk.post(path, {"by": "ann", "lasting_seconds": 600})
    assert (taken.status_code, taken.json()["acked_by"], desk.changes) == (200, "ann", 1)
    assert (await desk.post(path)).json()["acked_by"] == "api"
    assert [(deed.actor, deed.action) for deed in desk.store.audit()] == [
        ("api", "incident.ack"),
        ("ann", "incident.ack"),
    ]


async def test_an_incident_that_is_closed_is_a_conflict_and_one_that_is_not_there_is_not_found(desk: Desk) -> None:
    path = f"/api/v1/incidents/{desk.incident.id}/resolve"
    closed = await desk.post(path, {"reason": "known"})
    assert closed.json()["close_reason"] == "resolved by api: known"
    again, nowhere = await desk.post(path), await desk.post("/api/v1/incidents/nobody/ack")
    assert (again.status_code, nowhere.status_code, desk.changes) == (409, 404, 1)
    assert "is closed already" in again.json()["error"]
    assert (await desk.get("/api/v1/incidents/nobody")).status_code == 404


async def test_a_silence_is_made_listed_and_ended(desk: Desk) -> None:
    made = await desk.post("/api/v1/silences", QUIET | {"by": "ann"})
    assert made.status_code == 201
    silence = made.json()
    assert (silence["pattern"], silence["created_by"], silence["reason"]) == ("shop/*", "ann", "release")
    assert (await desk.get("/api/v1/silences")).json()["silences"] == [silence]
    ended = await desk.post(f"/api/v1/silences/{silence['id']}/expire")
    assert (ended.status_code, desk.changes) == (200, 2)
    assert (await desk.get("/api/v1/silences")).json()["silences"] == []
    assert (await desk.get("/api/v1/silences", all="true")).json()["silences"] == [ended.json()]
    assert (await desk.post("/api/v1/silences/nobody/expire")).status_code == 404


async def test_a_silence_may_begin_later(desk: Desk) -> None:
    made = await desk.post("/api/v1/silences", QUIET | {"starts_at": "2026-03-02T01:00+01:00"})
    assert (made.json()["starts_at"], made.json()["ends_at"]) == (
        "2026-03-02T00:00:00+00:00",
        "2026-03-02T01:00:00+00:00",
    )


async def test_maintenance_tells_what_holds_now_and_what_comes(desk: Desk) -> None:
    (window,) = (await desk.get("/api/v1/maintenance")).json()["maintenance"]
    assert (window["name"], window["now"], len(window["next"])) == ("nightly", None, 3)
    desk.at = datetime.fromisoformat("2026-03-02T02:30:00+00:00")
    (window,) = (await desk.get("/api/v1/maintenance")).json()["maintenance"]
    assert window["now"] == {"starts_at": "2026-03-02T02:00:00+00:00", "ends_at": "2026-03-02T04:00:00+00:00"}


async def test_a_baseline_is_taken_anew(desk: Desk) -> None:
    path = "/api/v1/suites/shop/rebaseline"
    assert (await desk.post(path)).status_code == 404
    desk.store.rebaseline(Baseline(suite="shop", epoch="e1", version=1, at=T0, memory=Memory()), AlertChanges())
    done = await desk.post(path, {"by": "ann", "reason": "new model"})
    assert (done.status_code, done.json()["epoch"], desk.changes) == (200, "e1", 1)
    (deed,) = (await desk.get("/api/v1/audit")).json()["audit"]
    assert (deed["actor"], deed["action"], deed["detail"]) == ("ann", "baseline.restart", "epoch e1: new model")


async def test_what_is_refused_of_a_configuration_is_told(desk: Desk) -> None:
    problems = ["monitor.yaml:3: suites: is required"]

    async def reload() -> Sequence[str]:
        return problems

    assert (await desk.post("/-/reload")).status_code == 503
    desk.controls.reload = reload
    refused = await desk.post("/-/reload")
    assert (refused.status_code, refused.json()["problems"]) == (422, problems)
    problems = []
    assert (await desk.post("/-/reload", {"by": "ann"})).json() == {"reloaded": True}
    deeds = [(deed.actor, deed.action, deed.detail) for deed in desk.store.audit()]
    assert deeds == [("ann", "configuration.reload", ""), ("api", "configuration.reload", "refused")]


CHANGES = ["incidents/i/ack", "incidents/i/resolve", "silences", "silences/s/expire", "suites/shop/rebaseline"]
EVERY_CHANGE = [*(f"/api/v1/{path}" for path in CHANGES), "/-/reload"]


@pytest.mark.parametrize("path", EVERY_CHANGE)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_post_that_any_site_can_make_a_browser_send_is_refused(desk: Desk, path: str, kind: str) -> None:
    response = await desk.post(path, headers=JSON | {"content-type": kind})
    assert (response.status_code, desk.changes) == (415, 0)


@pytest.mark.parametrize("path", EVERY_CHANGE)
async def test_a_body_is_bounded_and_has_no_unknown_keys(desk: Desk, path: str) -> None:
    long = await desk.post(path, content=b"{" + b" " * MOST_BYTES)
    assert long.status_code == 413
    unknown = await desk.post(path, {"by": "ann", "nonsense": 1})
    assert unknown.status_code == 422
    assert "nonsense: Extra inputs are not permitted" in unknown.json()["error"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"lasting_seconds": "3600"}, "lasting_seconds: Input should be a valid number"),
        ({"lasting_seconds": 0}, "lasting_seconds: Input should be greater than 0"),
        ({"lasting_seconds": 1e9}, "lasting_seconds: Input should be less than"),
        ({"pattern": " "}, "pattern: must not be blank"),
        ({"reason": ""}, "reason: must not be blank"),
        ({"by": ""}, "by: must not be blank"),
        ({"starts_at": "soon"}, "starts_at: not a time with its zone"),
        ({"starts_at": "2026-03-02T01:00"}, "starts_at: not a time with its zone"),
        ({"starts_at": "2026-13-02T01:00Z"}, "starts_at: not a time with its zone"),
        ({"reason": None}, "reason: Input should be a valid string"),
    ],
)
async def test_a_silence_that_is_none_is_refused_with_what_would_be(
    desk: Desk, change: dict[str, object], problem: str
) -> None:
    response = await desk.post("/api/v1/silences", QUIET | change)
    assert response.status_code == 422
    (told,) = response.json()["problems"]
    assert told.startswith(problem)
    assert "write {" in response.json()["error"]
    assert desk.store.silences() == []


@pytest.mark.parametrize(
    ("starts_at", "error"),
    [
        ("9998-12-31T23:59Z", "starts_at: is more than a year away"),
        ("9999-12-31T23:59-23:00", "starts_at: is more than a year away"),
        ("2026-01-01T00:00Z", "starts_at: the silence would be over already"),
        ("0001-01-01T00:00+23:00", "starts_at: the silence would be over already"),
    ],
)
async def test_a_silence_at_odds_with_the_clock_is_a_conflict(desk: Desk, starts_at: str, error: str) -> None:
    response = await desk.post("/api/v1/silences", QUIET | {"starts_at": starts_at})
    assert response.status_code == 409
    assert error in response.json()["error"]
    assert desk.store.silences() == []


NO_JSON = [
    b"nonsense",
    b'{"by": NaN}',
    b'{"lasting_seconds": 1e999}',
    b'{"lasting_seconds": ' + b"9" * 5000 + b"}",
    b'{"by": "ann", "by": "bob"}',
    b"[" * 50_000,
    b"\xff",
    '{"by": "ann"}'.encode("utf-16"),
]


@pytest.mark.parametrize("content", NO_JSON, ids=range(len(NO_JSON)))
async def test_what_is_no_json_is_refused(desk: Desk, content: bytes) -> None:
    response = await desk.post(f"/api/v1/incidents/{desk.incident.id}/ack", content=content)
    assert response.status_code == 400
    assert "lasting_seconds" in response.json()["error"]
    assert desk.changes == 0


async def test_json_that_is_no_object_is_refused(desk: Desk) -> None:
    response = await desk.post(f"/api/v1/incidents/{desk.incident.id}/ack", content=b"[]")
    assert (response.status_code, "lasting_seconds" in response.json()["error"]) == (422, True)


async def test_words_that_no_database_takes_are_taken_visibly(desk: Desk) -> None:
    half = rb'{"by": "a\u0000b", "reason": "\u202e<script>"}'
    taken = await desk.post(f"/api/v1/incidents/{desk.incident.id}/resolve", content=half)
    assert taken.status_code == 200
    assert desk.store.audit()[0].actor == "a\ufffdb"
    lone = await desk.post(
        "/api/v1/silences", content=rb'{"by": "\ud800", "pattern": "*", "reason": "x", "lasting_seconds": 9}'
    )
    assert (lone.status_code, desk.store.silences()) == (422, [])


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("open=yes", "open: neither true nor false; write true or false"),
        ("limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=201", "limit: Input should be less than or equal to 200"),
        ("limit=ten", "limit: not a whole number; write digits, as in 50"),
        ("limit=%D9%A1", "limit: not a whole number; write digits, as in 50"),
        ("limit=", "limit: not a whole number; write digits, as in 50"),
        ("limit=1&limit=2", "limit: stands there twice; write it once"),
        ("since=yesterday", "since: not a time with its zone; write 2026-03-01T21:00:00Z"),
        ("since=2026-03-01T22:00:00+01:00", "since: not a time with its zone"),
        ("cursor=../../etc/passwd", "cursor: not a cursor of this list; write what `next` said"),
        ("cursor=", "cursor: not a cursor of this list; write what `next` said"),
        ("nonsense=1", "nonsense: no such parameter; known: limit, cursor, since, until, open"),
    ],
)
async def test_a_parameter_that_means_nothing_is_refused(desk: Desk, query: str, problem: str) -> None:
    response = await desk.get(f"/api/v1/incidents?{query}")
    assert response.status_code == 422
    (told,) = response.json()["problems"]
    assert told.startswith(problem)


async def test_every_problem_is_told_at_once(desk: Desk) -> None:
    response = await desk.get("/api/v1/incidents?open=1&limit=0&x=1&%0d%0aset-cookie:a=b")
    problems = response.json()["problems"]
    assert [problem.partition(":")[0] for problem in problems] == ["x", "\r\nset-cookie", "limit", "open"]
    assert "set-cookie" not in response.headers


async def test_errors_of_paths_for_programs_are_json(desk: Desk) -> None:
    nowhere, wrong = await desk.get("/api/v1/nowhere"), await desk.get("/-/reload")
    assert (nowhere.status_code, wrong.status_code, wrong.headers["allow"]) == (404, 405, "POST")
    assert set(nowhere.json()) == set(wrong.json()) == {"error"}
    assert (await desk.get("/api/v1/incidents/%00")).status_code == 404


async def test_while_the_monitor_starts_there_is_nothing_to_move(desk: Desk) -> None:
    desk.controls.operations = None
    response = await desk.get("/api/v1/incidents")
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")


@pytest.mark.parametrize(("failure", "status"), [(StoreUnavailable("away"), 503), (StaleWrite("moved"), 409)])
async def test_a_database_that_cannot_do_it_is_told(desk: Desk, failure: Exception, status: int) -> None:
    def now() -> datetime:
        raise failure

    desk.operations = replace(desk.operations, now=now)
    response = await desk.post(f"/api/v1/incidents/{desk.incident.id}/resolve")
    assert (response.status_code, desk.changes) == (status, 0)


@pytest.mark.parametrize("path", EVERY_CHANGE)
async def test_with_a_token_nothing_is_done_without_it(desk: Desk, path: str) -> None:
    async with client(desk.app(TOKEN)) as stranger:
        refused = await stranger.post(path, headers=JSON)
        shown = await stranger.get("/api/v1/incidents")
        taken = await stranger.post(
            f"/api/v1/incidents/{desk.incident.id}/ack", headers=JSON | {"authorization": f"Bearer {TOKEN}"}
        )
    assert (refused.status_code, shown.status_code, taken.status_code) == (401, 401, 200)
    assert "Authorization: Bearer TOKEN" in refused.json()["error"]


async def test_a_foreign_name_for_this_machine_reaches_nothing(desk: Desk) -> None:
    response = await desk.post("/api/v1/silences", QUIET, headers=JSON | {"host": "evil.example"})
    assert (response.status_code, desk.store.silences()) == (421, [])
