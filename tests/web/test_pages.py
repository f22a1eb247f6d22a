"""What the pages show and that what others wrote stays inert on them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from monitor.check import Conversation, Group, Rescored, Snapshot, SuiteSnapshot, Watched
from monitor.incident import NotificationStatus
from monitor.reveal import reveal
from monitor.score import ComponentScore, Departure, Evidence, ItemScore, Score, UserValidity
from monitor.transcript import EndReason, Sampled, ToolCall
from monitor.web.headers import CONTENT_SECURITY_POLICY
from monitor.web.pages import pages_app
from tests.web.examples import (
    CHECK,
    RUNNING,
    SCORE,
    SUMMARY,
    T0,
    USERS,
    MemoryRecords,
    assistant,
    client,
    conversation,
    notification,
    pages,
    snapshot,
    user,
)

EVERY_PAGE = ["/", "/checks/k1", "/conversations/c1", "/incidents/i1", "/nowhere", "/checks/none"]


class Outline(HTMLParser):
    """The tags of a page, with their attributes, as a browser would find them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


async def get(path: str, records: MemoryRecords | None = None) -> str:
    async with client(pages(records)) as browser:
        return (await browser.get(path)).text


@pytest.mark.parametrize("path", EVERY_PAGE)
async def test_every_page_has_one_heading_landmarks_a_language_and_a_title(path: str) -> None:
    outline = Outline(await get(path))
    assert [len(outline.all(tag)) for tag in ("h1", "main", "header", "title")] == [1, 1, 1, 1]
    names = [nav["aria-label"] for nav in outline.all("nav")]
    assert "Sections" in names
    assert len(names) == len(set(names))
    assert outline.all("html") == [{"lang": "en"}]
    assert outline.all("a")[0] == {"class": "skip", "href": "#main"}


@pytest.mark.parametrize("path", EVERY_PAGE)
async def test_anchors_are_unique_and_every_link_on_the_page_leads_to_one(path: str) -> None:
    outline = Outline(await get(path))
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {link["href"] for link in outline.all("a")}
    assert {target[1:] for target in targets if target and target.startswith("#")} <= set(ids)


@pytest.mark.parametrize("path", EVERY_PAGE)
async def test_no_page_needs_what_the_policy_forbids(path: str) -> None:
    outline = Outline(await get(path))
    assert not outline.all("style") + outline.all("iframe")
    assert all(script["src"] for script in outline.all("script"))
    assert not [name for _, attributes in outline.tags for name in attributes if name == "style" or name[:2] == "on"]
    foreign = [a.get("href") or a.get("src") or "" for _, a in outline.tags]
    assert not [target for target in foreign if target and target[0] not in "/#"]


@pytest.mark.parametrize("path", [*EVERY_PAGE, "/static/style.css"])
async def test_every_answer_carries_the_security_headers(path: str) -> None:
    async with client(pages()) as browser:
        headers = (await browser.get(path)).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


async def test_the_overview_names_suites_checks_and_open_incidents() -> None:
    older = replace(CHECK, id="k0", started_at=T0 - timedelta(hours=4))
    html = await get("/", MemoryRecords(stored_checks=(CHECK, older)))
    assert 'href="/incidents/i1"' in html
    assert 'href="/checks/k1"' in html
    assert "0.06 short of it" in html
    assert 'aria-label="2 averages from 0.64 to 0.64, the newest 0.64, 2 of them below 0.70"' in html


async def test_a_running_first_check_shows_no_average() -> None:
    fresh = snapshot(
        SuiteSnapshot(suite="shop", watched=Watched(threshold=0.7), last=RUNNING, last_ended=None, last_valid=None)
    )
    app = pages_app(MemoryRecords(stored_checks=(RUNNING,)), lambda: fresh, clock=lambda: T0)
    async with client(app) as browser:
        html = (await browser.get("/")).text
    assert "not measured" in html
    assert "running" in html


async def test_before_the_first_snapshot_the_overview_says_that_it_has_just_started() -> None:
    async with client(pages_app(MemoryRecords(stored_incidents=()), lambda: None, clock=lambda: T0)) as browser:
        html = (await browser.get("/")).text
    assert "has just started" in html
    assert "None is open." in html


async def test_a_check_shows_its_worst_intent_first_and_links_to_its_conversations() -> None:
    html = await get("/checks/k1")
    assert html.index("<bdi>unwell</bdi>") < html.index("<bdi>well</bdi>") < html.index("<bdi>unmeasured</bdi>")
    assert 'href="/conversations/c1"' in html
    assert "3 of 4 (75%)" in html


async def test_a_running_check_has_a_page_too() -> None:
    html = await get("/checks/k2", MemoryRecords(stored_checks=(RUNNING,)))
    assert "Planned conversations" in html
    assert "What changed" not in html


async def test_a_conversation_shows_turns_and_beside_them_the_score_with_its_evidence() -> None:
    html = await get("/conversations/c1")
    assert "unworn and with the receipt" in html
    for shown in ("1.24 s", "2 tries", "guardrail: too long", "P(end) 0.93", "asked for a card number"):
        assert shown in html
    assert 'href="#turn-4">Turn 4</a>' in html


async def test_what_was_not_measured_says_why() -> None:
    unscored = Score(value=None, reason="quality: the judge gave no answer", gate=1.0, components=())
    html = await get("/conversations/c1", MemoryRecords(stored_conversations=(conversation(score=unscored),)))
    assert '<span class="quiet">not measured</span>' in html
    assert "quality: the judge gave no answer" in html


async def test_an_error_of_the_assistant_is_shown_as_zero_with_its_detail() -> None:
    unscored = Score(value=None, reason="task: not scored", gate=1.0, components=())
    failed = conversation(end=EndReason.HTTP_STATUS, detail="HTTP 502", score=unscored)
    html = await get("/conversations/c1", MemoryRecords(stored_conversations=(failed,)))
    assert "An error of the assistant counts as 0." in html
    assert "<strong>Http status</strong>: <bdi>HTTP 502</bdi>" in html


async def test_a_closed_gate_is_told() -> None:
    closed = replace(SCORE, value=0.0, gate=0.0, reason="gate closed by no-card-number")
    html = await get("/conversations/c1", MemoryRecords(stored_conversations=(conversation(score=closed),)))
    assert "The gate is closed" in html


async def test_an_incident_shows_its_deliveries_in_time() -> None:
    sent = notification("slack", NotificationStatus.SENT)
    html = await get("/incidents/i1", MemoryRecords(stored_notifications=(sent,)))
    assert html.index("Opened") < html.index("slack: queued") < html.index("slack: sent")
    assert "still open" in html


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</bdi></div></main><h1>gone</h1>",
    "<a href=javascript:alert(1)>x</a>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202e\u2066\x00\x1b[2J\ud800\U000e0041",
]


def filled_with(text: str) -> Conversation:
    """A conversation with this text wherever somebody else's words are shown."""
    item = ItemScore(id=text, kind=text, value=0.0, reason=text, evidence=(Evidence(turn=1, quote=text),))
    score = Score(value=None, reason=text, gate=1.0, components=(ComponentScore(name=text, value=0.0, items=(item,)),))
    reply = replace(assistant(text, calls=(ToolCall(name=text, arguments=text, result=text),)), finish_reason=text)
    asked = user(text, sampled=Sampled(hits=(text,), p_end_reason=text))
    talk = conversation(turns=(asked, reply), end=EndReason.HTTP_STATUS, detail=text, score=score, intent_id=text)
    return replace(talk, persona=text, transcript=replace(talk.transcript, cuts=(text,)))


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("path", ["/conversations/c1", "/checks/k1"])
async def test_hostile_words_change_nothing_but_the_words_on_a_page(path: str, text: str) -> None:
    plain = Outline(await get(path, MemoryRecords(stored_conversations=(filled_with("x"),))))
    hostile = Outline(await get(path, MemoryRecords(stored_conversations=(filled_with(text),))))
    assert [leading_to(tag, text) for tag in hostile.tags] == plain.tags


def leading_to(tag: tuple[str, dict[str, str | None]], text: str) -> tuple[str, dict[str, str | None]]:
    """The tag as if `text` were x, where it names what a link leads to or whose words it shows."""
    names = {quote(text, safe="", errors="replace"): "x", reveal(text): "x"}
    name, attributes = tag
    told = {"href", "title"} & attributes.keys()
    changed = {key: re.sub("|".join(map(re.escape, names)), "x", attributes[key] or "") for key in told}
    return name, attributes | changed


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_words_of_a_receiver_change_nothing_but_the_words_of_a_timeline(text: str) -> None:
    outlines = []
    for words in ("x", text):
        dead = notification("slack", NotificationStatus.DEAD, error=words)
        outlines.append(Outline(await get("/incidents/i1", MemoryRecords(stored_notifications=(dead,)))).tags)
    assert outlines[0] == outlines[1]


async def test_hidden_characters_of_a_transcript_are_spelled_out() -> None:
    html = await get("/conversations/c1", MemoryRecords(stored_conversations=(filled_with("\u202egnp.exe\x00"),)))
    assert "⟦U+202E⟧gnp.exe⟦U+0000⟧" in html
    assert not {"\u202e", "\x00"} & set(html)


async def test_a_turn_of_a_million_characters_is_cut_on_the_page() -> None:
    long = conversation(turns=(user("hello"), assistant("x" * 1_000_000)))
    html = await get("/conversations/c1", MemoryRecords(stored_conversations=(long,)))
    assert len(html) < 60_000
    assert "980,000 more characters are not shown" in html


@pytest.mark.parametrize("path", ["/nowhere", "/checks/none", "/conversations/none", "/incidents/none", "/static/none"])
async def test_what_is_not_there_gets_a_page_that_leads_back(path: str) -> None:
    async with client(pages()) as browser:
        response = await browser.get(path)
    assert response.status_code == 404
    assert "Back to the overview" in response.text


@pytest.mark.parametrize("path", ["/", "/checks/k1", "/conversations/c1", "/incidents/i1"])
async def test_while_the_database_is_away_every_page_says_so(path: str) -> None:
    async with client(pages(MemoryRecords(is_away=True))) as browser:
        response = await browser.get(path)
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")
    assert "The database is away" in response.text
    assert "connection refused" not in response.text


async def test_a_mistake_of_ours_is_a_page_that_tells_nothing_of_the_inside() -> None:
    def broken() -> Snapshot:
        raise RuntimeError("secret-in-an-exception")

    async with client(pages_app(MemoryRecords(), broken, clock=lambda: T0)) as browser:
        response = await browser.get("/")
    assert response.status_code == 500
    assert "Something broke in the monitor" in response.text
    assert "secret" not in response.text
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


async def test_nothing_can_be_posted_to_a_page() -> None:
    async with client(pages()) as browser:
        response = await browser.post("/checks/k1")
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    "path", ["/static/../pages.py", "/static/%2e%2e/pages.py", "/static/..%2fpages.py", "/static//etc/passwd"]
)
async def test_no_path_leads_out_of_the_static_files(path: str) -> None:
    async with client(pages()) as browser:
        response = await browser.get(path)
    assert response.status_code == 404


async def test_links_stand_under_the_path_of_the_public_url() -> None:
    async with client(pages(base_url="http://localhost/monitor")) as browser:
        html = (await browser.get("/checks/k1")).text
    assert 'href="/monitor/conversations/c1"' in html
    assert 'href="/monitor/static/style.css"' in html


async def test_a_check_tells_how_its_users_spoke_beside_what_is_published() -> None:
    summary = replace(SUMMARY, fidelity=USERS, in_spec=Group(conversations=2, mean=0.9))
    page = await get("/checks/k1", MemoryRecords(stored_checks=(replace(CHECK, summary=summary),)))
    rows = [" ".join(row.split()) for row in page.split("<tr>")]
    (diversity,) = [row for row in rows if "first turn diversity" in row]
    (overlap,) = [row for row in rows if "intent overlap" in row]
    assert "0.91" in diversity
    assert "people 0.94, UserLM-8b 0.95, GPT-4o 0.74" in diversity
    assert "–" in overlap
    assert "no published range" in overlap
    assert "6 sampled turns; 2 rejected as repetition; 1 rejected as too long" in page
    assert "0.90 over 2" in " ".join(page.split())


async def test_a_conversation_tells_what_its_user_invented_and_why_that_is_not_known() -> None:
    helped = UserValidity(departure=Departure.HELPED, reason="gave a <b>code</b>")
    page = await get(
        "/conversations/c1", MemoryRecords(stored_conversations=(replace(conversation(), validity=helped),))
    )
    assert "helped" in page
    assert "gave a &lt;b&gt;code&lt;/b&gt;" in page
    unasked = replace(conversation(), validity=UserValidity(departure=None, reason="no judge"))
    assert "not measured" in await get("/conversations/c1", MemoryRecords(stored_conversations=(unasked,)))


async def test_a_check_whose_users_were_not_measured_says_nothing_about_them() -> None:
    page = await get("/checks/k1")
    assert "Simulated users" not in page
    assert "Users kept to the intent" not in page


def again(name: str, value: float | None, fingerprint: str = "0" * 16, *, of: str = "c1") -> Rescored:
    score = replace(conversation().score, value=value)
    at = T0 + timedelta(days=3)
    return Rescored(id=name, conversation_id=of, epoch=f"epoch-{name}", fingerprint=fingerprint, at=at, score=score)


async def test_a_conversation_lists_its_later_scores_with_their_epochs() -> None:
    later = (again("a", 0.413), again("b", None, "f" * 16), again("other", 0.999, of="c2"))
    html = await get("/conversations/c1", MemoryRecords(stored_rescored=later))
    listed = html.partition("Scored again later")[2]
    first, second = re.findall(r"<tr><td>.*?</tr>", listed, re.DOTALL)
    assert "2026-03-04" in first
    assert "epoch-a" in first and "0.41" in first and "the same" in first
    assert "epoch-b" in second and "not measured" in second and "changed since" in second
    assert "epoch-other" not in html
    assert "The score above is of epoch <code>e1</code>" in listed


async def test_a_conversation_that_was_scored_once_lists_no_later_scores() -> None:
    assert "Scored again later" not in await get("/conversations/c1")


async def test_a_page_with_later_scores_is_as_sound_as_without() -> None:
    html = await get("/conversations/c1", MemoryRecords(stored_rescored=tuple(again(str(n), 0.5) for n in range(30))))
    assert html.count("epoch-") == 20
    assert html.count('id="later"') == 1
