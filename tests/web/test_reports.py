"""`POST /api/v1/tool-calls`: what is taken, and what is refused with which words."""

from __future__ import annotations

import json

import httpx
import pytest
from starlette.types import ASGIApp

from monitor.errors import StoreUnavailable
from monitor.transcript import Receipt, ReportedCall, ToolCall
from monitor.web.bodies import MOST_BYTES
from monitor.web.pages import pages_app
from monitor.web.reports import PATH, ToolCallReports
from tests.web.examples import T0, TOKEN, MemoryRecords, client, snapshot

REPORT = {"conversation_id": "c1", "name": "cancel", "arguments": {"order": "A1"}}


class Reported:
    """Keeps what is saved and answers with `receipt`, or is away."""

    def __init__(self, receipt: Receipt = Receipt.TAKEN, *, is_away: bool = False) -> None:
        self.saved: list[ReportedCall] = []
        self.receipt = receipt
        self.is_away = is_away

    def save(self, reported: ReportedCall) -> Receipt:
        if self.is_away:
            raise StoreUnavailable("away")
        self.saved.append(reported)
        return self.receipt

    def app(self, token: str | None = None) -> ASGIApp:
        reports = ToolCallReports(self.save, lambda text: text.replace("hunter2", "[redacted:x]"), lambda: T0)
        return pages_app(MemoryRecords(), snapshot, token=token, clock=lambda: T0, reports=reports)

    async def post(self, document: object = REPORT, **changes: object) -> httpx.Response:
        headers = {"content-type": "application/json", "host": "localhost"}
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        request: dict[str, object] = {"content": body, "headers": headers}
        async with client(self.app()) as backend:
            return await backend.post(PATH, **(request | changes))  # type: ignore[arg-type]


async def test_a_report_is_taken_with_the_time_at_which_it_came() -> None:
    reported = Reported()
    response = await reported.post({**REPORT, "id": "k", "result": "done", "is_error": True})
    assert (response.status_code, response.json()) == (202, {"taken": True})
    call = ToolCall(name="cancel", arguments='{"order": "A1"}', result="done", is_error=True, was_reported=True)
    assert reported.saved == [ReportedCall(conversation_id="c1", id="k", at=T0, call=call)]


async def test_reports_without_an_id_are_told_apart() -> None:
    reported = Reported()
    for _ in range(2):
        await reported.post()
    assert len({one.id for one in reported.saved}) == 2


async def test_what_is_reported_is_redacted_before_it_is_stored() -> None:
    reported = Reported()
    await reported.post({**REPORT, "arguments": {"password": "hunter2"}, "result": {"said": "hunter2"}})
    (saved,) = reported.saved
    assert (saved.call.arguments, saved.call.result) == (
        '{"password": "[redacted:x]"}',
        '{"said": "[redacted:x]"}',
    )


@pytest.mark.parametrize(
    ("document", "status", "error"),
    [
        (b"{", 400, "not JSON; write {"),
        (b"\xff", 400, "not JSON; write {"),
        (b"[" * 50_000, 400, "not JSON; write {"),
        ([], 422, "Input should be"),
        ({"conversation_id": "c1", "name": "x"}, 422, "arguments: Field required"),
        ({**REPORT, "arguments": "{}"}, 422, "arguments: Input should be a valid dictionary"),
        ({**REPORT, "arguments": [1]}, 422, "arguments: Input should be a valid dictionary"),
        ({**REPORT, "conversation_id": ""}, 422, "conversation_id: String should have at least 1"),
        ({**REPORT, "conversation_id": "x" * 201}, 422, "conversation_id: String should have at most 200"),
        ({**REPORT, "name": 3}, 422, "name: Input should be a valid string"),
        ({**REPORT, "is_error": "yes"}, 422, "is_error: Input should be a valid boolean"),
        ({**REPORT, "tool": "x"}, 422, "tool: Extra inputs are not permitted"),
        (b'{"conversation_id": "c", "name": "x", "arguments": {"a": NaN}}', 400, "not JSON"),
        (b'{"conversation_id": "c", "name": "x", "arguments": {"a": 1e999}}', 400, "not JSON"),
        (b'{"conversation_id": "c", "name": "x", "arguments": {"a": 1, "a": 2}}', 400, "not JSON: a is there twice"),
    ],
)
async def test_what_is_no_report_is_refused_with_what_would_be(document: object, status: int, error: str) -> None:
    reported = Reported()
    response = await reported.post(document)
    assert response.status_code == status
    assert error in response.json()["error"]
    assert '{"conversation_id": ' in response.json()["error"]
    assert reported.saved == []


async def test_a_report_has_a_size_at_most() -> None:
    response = await Reported().post({**REPORT, "result": "x" * MOST_BYTES})
    assert (response.status_code, response.json()) == (413, {"error": "too long; send at most 65536 bytes"})


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_what_a_foreign_page_can_make_a_browser_send_is_refused(kind: str) -> None:
    reported = Reported()
    response = await reported.post(headers={"content-type": kind})
    assert response.status_code == 415
    assert reported.saved == []


async def test_one_too_many_another_by_the_same_id_and_a_database_that_is_away_are_told() -> None:
    full = await Reported(Receipt.TOO_MANY).post()
    other = await Reported(Receipt.DIFFERS).post()
    assert (other.status_code, "was reported with this id" in other.json()["error"]) == (409, True)
    assert (full.status_code, full.json()) == (409, {"error": "this conversation has too many reported calls already"})
    away = await Reported(is_away=True).post()
    assert (away.status_code, away.headers["retry-after"]) == (503, "30")


async def test_reports_want_the_token_of_the_pages() -> None:
    reported = Reported()
    async with client(reported.app(TOKEN)) as backend:
        refused = await backend.post(PATH, json=REPORT)
        taken = await backend.post(PATH, json=REPORT, headers={"authorization": f"Bearer {TOKEN}"})
    assert refused.status_code == 401
    assert refused.json() == {"error": "send the token of the pages: Authorization: Bearer TOKEN"}
    assert refused.headers["www-authenticate"] == "Bearer"
    assert taken.status_code == 202
    assert len(reported.saved) == 1


async def test_without_a_token_only_this_machine_is_heard() -> None:
    async with client(Reported().app(), "http://evil.example") as backend:
        assert (await backend.post(PATH, json=REPORT)).status_code == 421


async def test_reports_are_sent_and_not_read() -> None:
    async with client(Reported().app()) as backend:
        assert (await backend.get(PATH)).status_code == 405
