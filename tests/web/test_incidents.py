"""The page of an incident: what is shown of it, and what can be done on it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from monitor.web.api import Api, Controls
from monitor.web.pages import pages_app
from tests.web.examples import INCIDENT, T0, MemoryRecords, client, conversation, snapshot
from tests.web.stock import Stocked

WHO = {"by": "Ann", "hours": "2", "reason": "the index is being built"}


async def post(stocked: Stocked, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
    async with client(stocked.app()) as browser:
        return await browser.post(path, data=form, headers={name.replace("_", "-"): v for name, v in headers.items()})


async def page(stocked: Stocked, path: str = "/incidents/i1") -> str:
    async with client(stocked.app()) as browser:
        return (await browser.get(path)).text


async def test_it_shows_the_evidence_that_was_told(stocked: Stocked) -> None:
    html = await page(stocked)
    assert "<strong>0.64</strong>" in html
    assert 'href="/checks/k1">all that it found</a>' in html


async def test_where_nobody_was_told_it_shows_the_check_that_opened_it() -> None:
    low = replace(conversation("worst"), score=replace(conversation().score, value=0.1))
    records = MemoryRecords(stored_conversations=(conversation(), low), stored_notifications=())
    async with client(pages_app(records, snapshot, clock=lambda: T0)) as browser:
        html = (await browser.get("/incidents/i1")).text
    assert "Nobody was told of it" in html
    assert html.index("/conversations/worst") < html.index("/conversations/c1")
    assert "/suites/shop/intents/unwell" in html


async def test_it_is_taken_for_a_while(stocked: Stocked) -> None:
    done = await post(stocked, "/incidents/i1/ack", WHO)
    assert (done.status_code, done.headers["location"]) == (303, "/incidents/i1?done=ack")
    html = await page(stocked, "/incidents/i1?done=ack")
    assert "<bdi>Ann</bdi>, until" in html
    assert "Taken by Ann" in html
    assert "no reminder and no escalation" in html


async def test_who_takes_it_while_another_does_is_told_and_may_take_it_over(stocked: Stocked) -> None:
    await post(stocked, "/incidents/i1/ack", WHO)
    late = await post(stocked, "/incidents/i1/ack", WHO | {"by": "Bob", "seen": ""})
    assert late.status_code == 409
    assert "Ann has taken it meanwhile" in late.text
    assert 'value="Bob"' in late.text
    (seen,) = re.findall('name="seen" value="([^"]+)"', late.text)
    assert (await post(stocked, "/incidents/i1/ack", WHO | {"by": "Bob", "seen": seen})).status_code == 303
    incident = stocked.store.incident("i1")
    assert incident
    assert incident.acked_by == "Bob"


async def test_who_has_it_may_take_it_for_longer_and_what_lapsed_is_free(stocked: Stocked) -> None:
    await post(stocked, "/incidents/i1/ack", WHO)
    stocked.at += timedelta(hours=1)
    assert (await post(stocked, "/incidents/i1/ack", WHO | {"by": " ann "})).status_code == 303
    stocked.at += timedelta(hours=2)
    assert (await post(stocked, "/incidents/i1/ack", WHO | {"by": "Bob"})).status_code == 303


async def test_it_is_closed_by_hand_once(stocked: Stocked) -> None:
    assert (await post(stocked, "/incidents/i1/resolve", WHO)).status_code == 303
    again = await post(stocked, "/incidents/i1/resolve", WHO)
    assert again.status_code == 409
    assert "is closed already" in again.text
    assert "Close it by hand" not in await page(stocked)


async def test_a_refused_form_does_not_renew_itself_and_its_address_leads_back(stocked: Stocked) -> None:
    refused = await post(stocked, "/incidents/i1/ack", WHO | {"by": " "})
    assert refused.status_code == 422
    assert "data-refresh" not in refused.text
    async with client(stocked.app()) as browser:
        back = await browser.get("/incidents/i1/ack")
    assert (back.status_code, back.headers["location"]) == (303, "/incidents/i1")


async def test_its_scope_is_silenced_and_no_other(stocked: Stocked) -> None:
    strange = replace(INCIDENT, id="i9", scope="shop/[a]*", dedup_key="x")
    records = MemoryRecords(stored_incidents=(strange,))
    app = pages_app(records, snapshot, clock=lambda: T0, api=Api(Controls(operations=stocked.operations)))
    async with client(app) as browser:
        assert (await browser.post("/incidents/i9/silence", data=WHO)).status_code == 303
    (made,) = [one for one in stocked.store.silences() if one.created_by == "Ann"]
    assert made.concerns("shop/[a]*")
    assert not made.concerns("shop/ab")


async def test_a_silence_in_force_is_told(stocked: Stocked) -> None:
    await post(stocked, "/incidents/i1/silence", WHO)
    html = await page(stocked)
    assert "the index is being built" in html
    assert "<code>shop/*</code>" in html  # the one that was there before


async def test_silences_of_its_time_are_in_the_timeline(stocked: Stocked) -> None:
    await post(stocked, "/incidents/i1/silence", WHO)
    (mine,) = [one for one in stocked.store.silences() if one.created_by == "Ann"]
    stocked.at += timedelta(minutes=1)
    stocked.operations().expire(mine.id, by="Bob")
    told = (await page(stocked)).partition('id="timeline"')[2]
    assert "Silenced by ann" in told
    assert "shop/* until 2026-03-02 12:00 UTC: release" in told
    assert told.index("Silenced by Ann") < told.index("Silence taken back")
    assert "Silenced by Ann" not in await page(stocked, "/incidents/i0"), "it was over by then"


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("hours", "-1", "greater than 0"),
        ("hours", "soon", "is no number; write it like 0.9"),
        ("hours", "nan", "finite"),
        ("by", "  ", "is needed"),
        ("reason", "x" * 1001, "at most 1000 characters"),
    ],
)
async def test_what_is_wrong_is_told_at_its_field_and_what_was_typed_stays(
    stocked: Stocked, name: str, typed: str, told: str
) -> None:
    refused = await post(stocked, "/incidents/i1/silence", WHO | {name: typed})
    assert refused.status_code == 422
    assert f'aria-describedby="silence-{name}-wrong"' in refused.text
    assert told in refused.text
    assert 'value="Ann"' in refused.text or name == "by"
    assert [one.created_by for one in stocked.store.silences()] == ["ann"]


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://localhost.evil.example"},
        {"origin": "http://", "host": "localhost"},
    ],
)
async def test_a_form_of_another_site_does_nothing(stocked: Stocked, headers: dict[str, str]) -> None:
    refused = await post(stocked, "/incidents/i1/resolve", WHO, **headers)
    assert refused.status_code == 403
    assert "another site" in refused.text
    assert stocked.store.incident("i1") == replace(INCIDENT)


async def test_a_form_from_the_page_itself_is_taken(stocked: Stocked) -> None:
    done = await post(stocked, "/incidents/i1/ack", WHO, origin="http://localhost", sec_fetch_site="same-origin")
    assert done.status_code == 303


@pytest.mark.parametrize(("base_url", "status"), [("https://monitor.example", 303), (None, 403)])
async def test_behind_a_proxy_that_writes_another_host_the_address_of_the_pages_counts(
    stocked: Stocked, base_url: str | None, status: int
) -> None:
    async with client(stocked.app(base_url=base_url)) as browser:
        done = await browser.post("/incidents/i1/ack", data=WHO, headers={"origin": "https://monitor.example"})
    assert done.status_code == status


async def test_while_the_monitor_starts_nothing_can_be_done() -> None:
    async with client(pages_app(MemoryRecords(), snapshot, clock=lambda: T0)) as browser:
        html = (await browser.get("/incidents/i1")).text
        refused = await browser.post("/incidents/i1/ack", data=WHO)
    assert "<form" not in html
    assert "the monitor is starting" in html
    assert refused.status_code == 503


async def test_an_incident_that_is_not_there_takes_no_form(stocked: Stocked) -> None:
    assert (await post(stocked, "/incidents/none/ack", WHO)).status_code == 404
