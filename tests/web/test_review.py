"""The review queue: what is asked, what is kept of the answers, and what it tells of the scores."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from monitor.labelling import PersonLabel, Sample
from monitor.store import LabelsWanted
from monitor.web.headers import CONTENT_SECURITY_POLICY
from tests.web.examples import T0, MemoryRecords, assistant, client, conversation, pages, user
from tests.web.stock import Stocked

HOSTILE = "<script>alert(1)</script>\u202e\"'><img src=x onerror=alert(1)>"
FORM = {"by": "Ann", "verdict": "passed", "reason": "it answers", "key": "k"}
DRAW = {"sample": "random", "seed": "s", "until": "2026-03-01T12:05:00Z"}


async def get(stocked: Stocked, path: str) -> str:
    async with client(stocked.app()) as browser:
        response = await browser.get(path)
    assert response.status_code == 200, response.text
    return response.text


async def post(stocked: Stocked, path: str = "/review/c1", **fields: str) -> httpx.Response:
    async with client(stocked.app()) as browser:
        return await browser.post(path, data=FORM | fields)


def labels(stocked: Stocked) -> tuple[PersonLabel, ...]:
    return tuple(label for label in stocked.store.labels(LabelsWanted(), limit=100).rows if label.id != "l1")


def links(html: str) -> list[str]:
    return [link.replace("&amp;", "&") for link in re.findall(r'href="(/review/[^"]+)"', html)]


async def test_both_samples_are_listed_without_scores(stocked: Stocked) -> None:
    html = await get(stocked, "/review")
    found = {(urlsplit(link).path, parse_qs(urlsplit(link).query)["sample"][0]) for link in links(html)}
    assert found == {(f"/review/{one}", name) for one in ("c1", "c2") for name in ("random", "risk")}
    assert "0 of 2 labelled" in html
    assert "0.72" not in html


async def test_a_draw_is_the_same_when_it_is_loaded_again_that_day(stocked: Stocked) -> None:
    first = [urlsplit(link).path for link in links(await get(stocked, "/review"))]
    stocked.at += timedelta(hours=11)
    html = await get(stocked, "/review")
    assert [urlsplit(link).path for link in links(html)] == first
    assert "<code>2026-03-01</code>" in html
    assert "<code>mine</code>" in await get(stocked, "/review?seed=mine")


async def test_a_conversation_is_read_without_its_score(stocked: Stocked) -> None:
    html = await get(stocked, "/review/c1?sample=random&by=Ann")
    assert "within 30 days" in html
    assert "0.72" not in html and "thirty-days" not in html
    assert 'value="Ann"' in html
    opened = await get(stocked, "/review/c1?show=score")
    assert "0.72" in opened
    assert "<form" not in opened


async def test_who_has_seen_the_score_speaks_for_no_sample(stocked: Stocked) -> None:
    opened = await get(stocked, "/review/c1?show=score&sample=random&by=Ann")
    (link,) = [link for link in links(opened) if link.startswith("/review/c1?")]
    assert "sample" not in parse_qs(urlsplit(link).query)
    assert 'name="sample" value="chosen"' in await get(stocked, link)


async def test_an_address_fills_in_nothing_but_the_name(stocked: Stocked) -> None:
    html = await get(stocked, "/review/c1?by=Ann&verdict=passed&reason=planted&value=1")
    assert "planted" not in html and "checked" not in html


async def test_a_label_is_kept_with_what_the_monitor_said_and_leads_on(stocked: Stocked) -> None:
    response = await post(stocked, value="0.9", **DRAW)
    (label,) = labels(stocked)
    assert (label.by, label.passed, label.value, label.reason) == ("Ann", True, 0.9, "it answers")
    assert (label.sample, label.probability, label.at) == (Sample.RANDOM, 1.0, stocked.at)
    assert (label.score, label.score_passed, label.epoch) == (0.72, True, "e1")
    target = urlsplit(response.headers["location"])
    assert (response.status_code, target.path) == (303, "/review/c2")
    assert parse_qs(target.query)["by"] == ["Ann"]
    html = await get(stocked, response.headers["location"])
    assert "You agree." in html
    assert 'value="Ann"' in html


async def test_the_last_one_leads_back_to_the_queue_where_they_are_marked(stocked: Stocked) -> None:
    await post(stocked, "/review/c2", **DRAW)
    response = await post(stocked, "/review/c1", verdict="failed", **DRAW)
    assert urlsplit(response.headers["location"]).path == "/review"
    html = await get(stocked, response.headers["location"])
    assert html.count("2 of 2 labelled") == 2
    assert html.count("labelled by <bdi>Ann</bdi>") == 4
    assert "You differ." in html
    assert "not measured: 2 labelled, and 20 are the least" in html


async def test_one_that_was_picked_shows_what_was_saved_beside_its_score(stocked: Stocked) -> None:
    response = await post(stocked)
    assert labels(stocked)[0].sample is Sample.CHOSEN
    assert labels(stocked)[0].probability is None
    html = await get(stocked, response.headers["location"])
    assert "Saved." in html
    assert "0.72" in html and "it answers" in html


async def test_forms_and_what_follows_them_stand_under_the_path_of_the_public_url(stocked: Stocked) -> None:
    async with client(stocked.app(base_url="http://localhost/monitor")) as browser:
        html = (await browser.get("/review/c1")).text
        response = await browser.post("/review/c1", data=FORM | DRAW)
    assert 'action="/monitor/review/c1"' in html
    assert response.headers["location"].startswith("/monitor/review/c2?")


async def test_a_sample_that_has_not_drawn_it_is_not_believed(stocked: Stocked) -> None:
    await post(stocked, **DRAW | {"until": "2026-03-01T11:00:00Z"})
    assert (labels(stocked)[0].sample, labels(stocked)[0].probability) == (Sample.CHOSEN, None)


async def test_the_same_form_sent_twice_is_one_label_and_a_changed_mind_another(stocked: Stocked) -> None:
    for verdict in ("passed", "passed", "failed"):
        stocked.at += timedelta(seconds=1)
        await post(stocked, verdict=verdict)
    assert [label.passed for label in labels(stocked)] == [False, True]
    html = await get(stocked, "/review/c1?show=score")
    assert html.count("it answers") == 1, "of one person the newest counts"
    await post(stocked, by="Ben", verdict="passed")
    assert (await get(stocked, "/review/c1?show=score")).count("it answers") == 2


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"reason": "  "}, "reason", "is needed"),
        ({"by": ""}, "by", "is needed"),
        ({"verdict": ""}, "verdict", "is needed"),
        ({"verdict": "maybe"}, "verdict", "input should be"),
        ({"value": "1.5"}, "value", "less than or equal to 1"),
        ({"value": "good"}, "value", "is no number; write it like 0.9"),
        ({"value": "nan"}, "value", "finite number"),
        ({"value": "0.2"}, "value", "a grade from 0.5 on is a pass"),
        ({"reason": "x" * 2001}, "reason", "at most 2000"),
    ],
)
async def test_what_is_wrong_is_told_beside_its_field_and_nothing_typed_is_lost(
    stocked: Stocked, fields: dict[str, str], field: str, told: str
) -> None:
    response = await post(stocked, **{"reason": "as typed", "by": "As Typed", **fields})
    html = response.text
    assert response.status_code == 422
    problem = re.search(rf'id="wrong-{field}">([^<]+)<', html)
    assert problem and told in problem[1]
    assert re.search(rf'name="{field}"[^>]+aria-invalid="true"[^>]+aria-describedby="wrong-{field}', html)
    assert "as typed" in html or field == "reason"
    assert "As Typed" in html or field == "by"
    assert "0.72" not in html
    assert labels(stocked) == ()


async def test_what_is_gone_meanwhile_is_told(stocked: Stocked) -> None:
    assert (await post(stocked, "/review/gone")).status_code == 404


@pytest.mark.parametrize("path", ["/review?until=soon", "/review?seed=" + "x" * 101, "/review/c1?until=1"])
async def test_an_address_that_names_no_draw_is_refused_with_what_would_be_right(stocked: Stocked, path: str) -> None:
    async with client(stocked.app()) as browser:
        response = await browser.get(path)
    assert response.status_code == 400
    assert "write 2026-03-01T21:00:00Z" in response.text or "100 characters" in response.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"sec-fetch-site": "same-origin"}, 303),
    ],
)
async def test_only_our_own_pages_may_send_it(stocked: Stocked, headers: dict[str, str], status: int) -> None:
    async with client(stocked.app()) as browser:
        response = await browser.post("/review/c1", data=FORM, headers=headers)
    assert response.status_code == status
    assert len(labels(stocked)) == (status == 303)


def hostile() -> MemoryRecords:
    said = conversation(turns=(user(HOSTILE), assistant(HOSTILE)), intent_id=HOSTILE)
    given = PersonLabel(
        id="l",
        conversation_id="c1",
        at=T0,
        by=HOSTILE,
        passed=True,
        value=None,
        reason=HOSTILE,
        sample=Sample.CHOSEN,
        probability=None,
        score=0.7,
        score_passed=True,
        epoch=HOSTILE,
    )
    return MemoryRecords(stored_conversations=(said,), stored_labels=(given,))


@pytest.mark.parametrize("path", ["/review", "/review/c1", "/review/c1?show=score"])
async def test_hostile_words_stay_words(path: str) -> None:
    query = httpx.QueryParams(by=HOSTILE, saved="c1", seed=HOSTILE)
    async with client(pages(hostile())) as browser:
        response = await browser.get(f"{path}{'&' if '?' in path else '?'}{query}")
    assert response.status_code == 200
    assert "<script>alert" not in response.text and "<img" not in response.text and "\u202e" not in response.text
    assert "⟦U+202E⟧" in response.text
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


async def test_typed_hostile_words_come_back_as_words(stocked: Stocked) -> None:
    html = (await post(stocked, by=HOSTILE, reason=HOSTILE, verdict="")).text
    assert "<script>alert" not in html and "<img" not in html


async def test_without_conversations_it_says_so() -> None:
    async with client(pages(MemoryRecords(stored_conversations=()))) as browser:
        response = await browser.get("/review")
    assert "There is nothing to review" in response.text
    assert "Nobody has labelled a conversation yet" in response.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_while_the_database_is_away_it_says_so(method: str) -> None:
    async with client(pages(MemoryRecords(is_away=True))) as browser:
        response = await browser.request(method, "/review/c1", data=FORM)
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")


def in_agreement(n: int, differing: int) -> MemoryRecords:
    (plain,) = hostile().stored_labels
    plain = replace(plain, by="Ann", sample=Sample.RANDOM, epoch="e1")
    return MemoryRecords(
        stored_conversations=tuple(conversation(f"c{number}") for number in range(n)),
        stored_labels=tuple(
            replace(plain, id=f"l{number}", conversation_id=f"c{number}", passed=number >= differing)
            for number in range(n)
        ),
    )


async def test_from_enough_labels_on_the_agreement_is_told_with_its_interval() -> None:
    async with client(pages(in_agreement(40, 4))) as browser:
        html = " ".join((await browser.get("/review")).text.split())
    assert '90% <span class="quiet">77% to 96%</span>' in html
    assert "Drawn evenly" in html and "All together" in html


async def test_labels_of_other_epochs_are_left_out_and_told() -> None:
    records = in_agreement(30, 0)
    first, *rest = records.stored_labels
    records.stored_labels = (replace(first, epoch="e0", at=T0 - timedelta(1)), *rest)
    async with client(pages(records)) as browser:
        html = (await browser.get("/review")).text
    assert "1 of other epochs are left out" in html
