"""An assistant that fails in every way that a server can: whose fault it is, what is stored, and who is told what."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import ssl
import time
import tracemalloc
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from monitor.assistants.limits import LimitedAssistant, Limits
from monitor.assistants.openai_chat import OpenAiChatAssistant
from monitor.check import CheckStatus
from monitor.demo.receivers import PAGERDUTY, SLACK, Receivers
from monitor.http import HttpClient
from monitor.intent import Intent
from monitor.machine import NotificationKind
from monitor.store import Store
from monitor.transcript import EndReason, Outcome, Sampled, Turn
from monitor.user.contract import UserTurn
from monitor.user.scripted import ScriptedUser
from tests.faults.daemon import SECRETS, Scene
from tests.faults.examining import API_KEY, Examination, Examined
from tests.fixtures.assistants import (
    Answer,
    Reaction,
    Received,
    ServeAssistant,
    drips,
    never_answers,
    responds,
    responds_json,
    says,
)

GOOD, BAD = says("It is thirty days."), says("That costs ten euros.")
PLANNED = 8
"""Two intents, four rounds."""
DETAIL_CHARACTERS = 200
BOTH_OPENED = [(SLACK, NotificationKind.OPEN), (PAGERDUTY, NotificationKind.OPEN)]


@pytest.fixture
def examine(tmp_path: Path, receivers: Receivers) -> Examination:
    return Examination(tmp_path, receivers)


def told(examined: Examined) -> list[tuple[str, NotificationKind]]:
    return [(row.channel, row.kind) for row in examined.notifications]


def pages_as_unavailable(examined: Examined) -> None:
    """Every conversation is the assistant's fault and counts as 0; one incident says that it does not answer."""
    summary = examined.check.summary
    assert summary is not None
    assert (examined.check.status, summary.valid, summary.error_count) == (CheckStatus.DEGRADED, PLANNED, PLANNED)
    assert (summary.mean, summary.mean_scored) == (0.0, None)
    assert {score.value for score in examined.scores} == {None}
    (incident,) = examined.incidents
    assert incident.reason.startswith("the assistant failed to answer in 8 of 8 conversations")
    assert told(examined) == BOTH_OPENED
    assert all(len(conversation.transcript.detail) <= DETAIL_CHARACTERS for conversation in examined.conversations)
    assert all(unicodedata.category(letter) not in ("Cc", "Cf", "Cs") for letter in examined.details.replace("\n", ""))


# X1


@pytest.mark.parametrize(
    "reaction", [never_answers(), drips(itertools.repeat(b" "), 0.02)], ids=["never answers", "drips"]
)
async def test_an_assistant_that_never_gets_done_meets_the_deadline_of_the_turn(
    examine: Examination, serve_assistant: ServeAssistant, reaction: Reaction
) -> None:
    """X1. Sockets that go on moving bytes do not prolong it."""
    server = await serve_assistant(lambda _: reaction)
    began = time.monotonic()
    examined = await examine(server.url, limits={"turn_timeout": "300ms"})
    assert time.monotonic() - began < 30.0
    assert (examined.ends, examined.outcomes) == ({EndReason.TURN_DEADLINE}, {Outcome.ASSISTANT_TIMEOUT: PLANNED})
    pages_as_unavailable(examined)


async def test_slow_turns_meet_the_deadline_of_the_conversation(
    examine: Examination, serve_assistant: ServeAssistant
) -> None:
    """X1. No single turn is too slow."""
    server = await serve_assistant(lambda _: later(0.4, GOOD))
    limits = {"turn_timeout": "1500ms", "conversation_timeout": "1500ms"}
    examined = await examine(server.url, limits=limits, user=Talkative())
    assert (examined.ends, examined.outcomes) == (
        {EndReason.CONVERSATION_DEADLINE},
        {Outcome.ASSISTANT_TIMEOUT: PLANNED},
    )
    assert all(conversation.transcript.assistant_turns for conversation in examined.conversations)
    pages_as_unavailable(examined)


def later(seconds: float, reaction: Reaction) -> Reaction:
    async def react(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await reaction(writer)

    return react


class Talkative(ScriptedUser):
    """Asks again and again, each time after `thinking_seconds`."""

    def __init__(self, thinking_seconds: float = 0.0) -> None:
        self.thinking_seconds = thinking_seconds

    async def first_turn(self, intent: Intent, *, seed: int, conversation: str) -> UserTurn:
        return await self.next_turn(intent, (), seed=seed, conversation=conversation)

    async def next_turn(self, intent: Intent, turns: Sequence[Turn], *, seed: int, conversation: str) -> UserTurn:
        del intent, seed, conversation
        await asyncio.sleep(self.thinking_seconds)
        return UserTurn(text=f"how long is that, for the time number {len(turns)}?", sampled=Sampled())


# X2

MEGABYTE = 1_000_000


@dataclass
class Flood:
    """A body of a gigabyte in pieces; counts what was taken of it."""

    piece: bytes
    taken: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(1000 * MEGABYTE // len(self.piece)):
            self.taken += len(self.piece)
            yield self.piece


def bomb() -> Iterator[bytes]:
    """A gigabyte of zeros, packed as it is sent."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(MEGABYTE)
    for _ in range(1000):
        yield packer.compress(zeros) + packer.flush(zlib.Z_SYNC_FLUSH)


@pytest.mark.parametrize("is_packed", [False, True], ids=["chunked", "gzip bomb"])
async def test_a_gigabyte_is_cut_off_while_it_is_read_and_memory_stays_flat(
    examine: Examination, serve_assistant: ServeAssistant, *, is_packed: bool
) -> None:
    """X2. What counts is the size after unpacking."""
    flood = Flood(b"x" * 50_000)
    packed = {"content-encoding": "gzip"}
    server = await serve_assistant(lambda _: drips(bomb(), 0.0, headers=packed) if is_packed else sends_all(flood))
    await examine(server.url, limits={"max_response_bytes": "200KB"})  # what is loaded once is not counted
    tracemalloc.start()
    try:
        examined = await examine(server.url, limits={"max_response_bytes": "200KB"})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 * MEGABYTE
    assert flood.taken < 200 * MEGABYTE
    assert (examined.ends, examined.outcomes) == ({EndReason.TOO_LARGE}, {Outcome.ASSISTANT_ERROR: PLANNED})
    pages_as_unavailable(examined)


def sends_all(flood: Flood) -> Reaction:
    return drips(flood, 0.0)


# X3

DEEP = b"[" * 5_000_000 + b"]" * 5_000_000
LOGIN = b"<html><head><title>Log in</title></head><body><form action='/login'>\x1b[2J\xe2\x80\xae</form></body></html>"


@pytest.mark.parametrize(
    ("body", "end"),
    [
        (b"{'choices': [", EndReason.MALFORMED),
        (LOGIN, EndReason.MALFORMED),
        (b"", EndReason.EMPTY),
        (b"null", EndReason.MALFORMED),
        (b'{"choices": null}', EndReason.MALFORMED),
        (b'{"choices": [{"message": {"content": null}}]}', EndReason.EMPTY),
        (DEEP, EndReason.MALFORMED),
        (b'{"error": {"message": "\x1b]0;owned\x07 \xe2\x80\xae\\u0000"}}', EndReason.MALFORMED),
        (gzip.compress(b"{}", mtime=0)[:-9], EndReason.MALFORMED),
    ],
    ids=["no JSON", "login page", "empty", "null", "no choices", "no content", "nested 10 MB", "control", "cut off"],
)
async def test_an_answer_that_is_none_is_the_assistants_error_with_a_short_reason(
    examine: Examination,
    serve_assistant: ServeAssistant,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    end: EndReason,
) -> None:
    """X3. With status 200."""
    server = await serve_assistant(lambda _: responds(200, body, {"content-type": "text/html"}))
    examined = await examine(server.url, limits={"max_response_bytes": "20MB", "concurrency": 2})
    assert (examined.ends, examined.outcomes) == ({end}, {Outcome.ASSISTANT_ERROR: PLANNED})
    pages_as_unavailable(examined)
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


HOSTILE = (
    "Nobody\0 knows \ud800 \x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07 \u202egnihton\u202c \x9b2J\r\nlog=forged"
)


async def test_control_characters_reach_neither_log_nor_channels_nor_pages(scene: Scene) -> None:
    """X3. They are stored as received, but for what no database can carry: NUL and lone surrogates."""
    scene.assistant.answer = lambda _: says(HOSTILE)
    daemon = scene.start()
    await daemon.until(lambda: len(scene.told()) == 2, "the open on both channels")
    store = Store.open(scene.store_url)
    degraded = next(check for check in store.checks() if check.status is CheckStatus.DEGRADED)
    talk = store.conversations(degraded.id)[0]
    store.close()
    assert talk.transcript.assistant_turns[0].text == HOSTILE.replace("\0", "\ufffd").replace("\ud800", "\ufffd")
    sent = [json.dumps(received.body, ensure_ascii=False) for received in scene.receivers.received]
    page = await asyncio.to_thread(daemon.get, f"/conversations/{talk.id}", page=True)
    assert page is not None
    assert page.status_code == 200
    log = daemon.log.read_text(errors="surrogateescape")
    for text in (log, page.text, *sent):
        assert not [letter for letter in text if is_harmful(letter)]
    assert "log=forged" not in [line.strip() for line in log.splitlines()]


def is_harmful(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t"


# X4


@pytest.mark.parametrize("status", [401, 403, 404, 500, 502, 503])
async def test_a_refusal_is_the_assistants_error_with_its_status(
    examine: Examination, serve_assistant: ServeAssistant, status: int
) -> None:
    """X4. Not asked again: a user would have seen it too."""
    refusal = responds_json({"error": {"message": "no " * 1000}}, status)
    server = await serve_assistant(lambda _: refusal)
    examined = await examine(server.url)
    assert (examined.ends, examined.outcomes) == ({EndReason.HTTP_STATUS}, {Outcome.ASSISTANT_ERROR: PLANNED})
    assert all(line.startswith(f"HTTP {status}: no no") for line in examined.details.splitlines())
    assert len(server.received) == PLANNED
    pages_as_unavailable(examined)


async def test_an_expired_certificate_is_the_assistants_error(
    examine: Examination, serve_assistant: ServeAssistant
) -> None:
    """X4."""
    authority, past = trustme.CA(), datetime.now(UTC) - timedelta(days=1)
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1", not_before=past - timedelta(days=30), not_after=past).configure_cert(theirs)
    authority.configure_trust(ours)
    server = await serve_assistant(tls=theirs)
    assistant = LimitedAssistant(OpenAiChatAssistant("scripted", HttpClient(verify=ours), server.url), Limits())
    examined = await examine(server.url, assistant=assistant)
    await assistant.aclose()
    assert (examined.ends, examined.outcomes) == ({EndReason.TLS_FAILED}, {Outcome.ASSISTANT_ERROR: PLANNED})
    assert all("expired" in line for line in examined.details.splitlines())
    assert server.received == []
    pages_as_unavailable(examined)


@pytest.mark.parametrize("target", ["/v1/chat/completions", "http://169.254.169.254/latest/meta-data?token=s3cr3t"])
async def test_redirects_are_not_followed_and_not_told_in_full(
    examine: Examination, serve_assistant: ServeAssistant, target: str
) -> None:
    """X4. Neither in a loop nor to a link-local address."""
    server = await serve_assistant(lambda _: responds(307, headers={"location": target}))
    examined = await examine(server.url)
    assert (examined.ends, examined.outcomes) == ({EndReason.REDIRECTED}, {Outcome.ASSISTANT_ERROR: PLANNED})
    assert len(server.received) == PLANNED
    assert "s3cr3t" not in examined.details
    pages_as_unavailable(examined)


def limiting(conversations: int, retry_after: str) -> Answer:
    """Answers 429 to so many conversations, for as long as they ask."""
    seen: dict[str, int] = {}

    def answer(request: Received) -> Reaction:
        number = seen.setdefault(request.headers["x-synthetic-conversation"], len(seen))
        return responds(429, b"slow down", {"retry-after": retry_after}) if number < conversations else GOOD

    return answer


async def test_rate_limits_over_half_of_a_check_page_as_unavailable_and_score_nothing(
    examine: Examination, serve_assistant: ServeAssistant
) -> None:
    """X4. The check itself says nothing."""
    server = await serve_assistant(limiting(5, "99999"))
    examined = await examine(server.url)
    assert examined.outcomes == {Outcome.RATE_LIMITED: 5, Outcome.COMPLETED: 3}
    assert examined.check.status is CheckStatus.INCONCLUSIVE
    limited = [c for c in examined.conversations if c.transcript.outcome is Outcome.RATE_LIMITED]
    assert {conversation.value for conversation in limited} == {None}
    assert examined.opened == ["availability: rate limited: the assistant refused 5 of 8 conversations"]
    assert told(examined) == BOTH_OPENED


async def test_rate_limits_in_half_of_a_check_page_nobody(
    examine: Examination, serve_assistant: ServeAssistant
) -> None:
    """X4."""
    examined = await examine((await serve_assistant(limiting(4, "99999"))).url)
    assert (examined.check.status, examined.incidents) == (CheckStatus.INCONCLUSIVE, [])


async def test_a_429_that_passes_is_waited_for_and_leaves_no_trace(
    examine: Examination, serve_assistant: ServeAssistant
) -> None:
    """X4. The wait is as long as the assistant asks for, and in no latency."""
    asked: dict[str, list[float]] = {}

    def answer(request: Received) -> Reaction:
        times = asked.setdefault(request.headers["x-synthetic-conversation"], [])
        times.append(time.monotonic())
        return responds(429, headers={"retry-after": "1"}) if len(times) == 1 else GOOD

    examined = await examine((await serve_assistant(answer)).url)
    assert examined.outcomes == {Outcome.COMPLETED: PLANNED}
    assert all(second - first >= 1.0 for first, second in asked.values())
    assert examined.check.summary is not None
    assert examined.check.summary.latency_seconds is not None
    assert examined.check.summary.latency_seconds < 1.0
    assert examined.incidents == []


# X5

PATTERN_ONLY = "AKIAIOSFODNN7EXAMPLE"


async def test_secrets_that_an_assistant_echoes_are_stored_shown_and_sent_nowhere(scene: Scene) -> None:
    """X5. The bearer token, secrets of channels, and what looks like a key; in replies and in errors."""
    (scene.folder / "assistant-key").write_text(API_KEY)
    scene.configure(assistants={"scripted": {"api_key_file": "assistant-key"}})
    scene.secrets += [API_KEY, PATTERN_ONLY]
    scene.assistant.answer = echo
    daemon = scene.start()
    await daemon.until(lambda: len(scene.told()) == 2, "the open on both channels")
    store = Store.open(scene.store_url)
    talks = [talk for check in store.checks() for talk in store.conversations(check.id)]
    store.close()
    pages = [await asyncio.to_thread(daemon.get, f"/conversations/{talk.id}", page=True) for talk in talks[:4]]
    shown = "\n".join(page.text for page in pages if page)
    assert {*(f"redacted:secret-{number}" for number in (1, 2, 3)), "redacted:aws_key"} <= placeholders(shown)
    stored = b"".join(path.read_bytes() for path in scene.folder.glob("monitor.sqlite3*"))
    bodies = [dict(received.body) for received in scene.receivers.received]
    assert SECRETS["routing-key"] in {body.pop("routing_key", None) for body in bodies}
    sent = json.dumps(bodies)
    for secret in (API_KEY, PATTERN_ONLY, *SECRETS.values()):
        assert secret.encode() not in stored
        assert secret not in shown
        assert secret not in sent


def echo(request: Received) -> Reaction:
    known = f"{request.headers['authorization']} {' '.join(SECRETS.values())} {PATTERN_ONLY}"
    if "cost" not in request.json()["messages"][0]["content"]:
        return says(f"You sent me {known}")
    return responds_json({"error": {"message": f"{'x' * 150} {known}"}}, 401)


def placeholders(text: str) -> set[str]:
    return {part.partition("]")[0] for part in text.split("[")[1:] if part.startswith("redacted:")}


# X6


async def test_an_assistant_that_slows_down_until_the_checks_deadline_times_out(
    examine: Examination, serve_assistant: ServeAssistant
) -> None:
    """X6. Also in the conversations that its slowness kept from beginning."""
    server = await serve_assistant(lambda _: never_answers())
    limits = {"turn_timeout": "60s", "conversation_timeout": "60s", "concurrency": 2}
    examined = await examine(server.url, limits=limits, suite={"timeout": "1s"})
    assert (examined.ends, examined.outcomes) == (
        {EndReason.CONVERSATION_DEADLINE},
        {Outcome.ASSISTANT_TIMEOUT: PLANNED},
    )
    assert len(server.received) == 2
    assert examined.details.count("% of it spent waiting for the assistant") == PLANNED - 2
    pages_as_unavailable(examined)


async def test_an_assistant_that_gets_slower_from_turn_to_turn_times_out_where_the_time_ends(
    examine: Examination, serve_assistant: ServeAssistant
) -> None:
    """X6. What was answered before the deadline is scored as ever."""
    waits = itertools.count(1)
    server = await serve_assistant(lambda _: later(0.08 * next(waits), GOOD))
    limits = {"turn_timeout": "60s", "conversation_timeout": "60s", "concurrency": 1}
    examined = await examine(server.url, limits=limits, suite={"timeout": "1s"})
    assert set(examined.outcomes) == {Outcome.COMPLETED, Outcome.ASSISTANT_TIMEOUT}
    assert examined.outcomes[Outcome.ASSISTANT_TIMEOUT] >= 3
    assert examined.check.status is CheckStatus.DEGRADED
    assert [reason for reason in examined.opened if "failed to answer" in reason]


async def test_rounds_that_were_wanted_to_be_surer_blame_nobody_when_the_time_is_up(
    examine: Examination, serve_assistant: ServeAssistant
) -> None:
    """X6. The least rounds have the check's time for themselves; what is under way beyond them is left out."""
    asked = itertools.count()

    def answer(_: Received) -> Reaction:
        number = next(asked)
        return (GOOD if number % 3 else BAD) if number < PLANNED else never_answers()

    server = await serve_assistant(answer)
    limits = {"turn_timeout": "60s", "conversation_timeout": "60s", "concurrency": 4}
    examined = await examine(
        server.url, limits=limits, suite={"timeout": "3s", "rounds": {"least": 4, "most": 20}, "threshold": 0.6}
    )
    assert len(server.received) > PLANNED
    assert examined.outcomes == {Outcome.COMPLETED: PLANNED}


async def test_time_that_our_own_user_took_is_not_the_assistants(
    examine: Examination, serve_assistant: ServeAssistant
) -> None:
    """X6. Nor what it kept from beginning: such a check says nothing, and pages nobody."""
    server = await serve_assistant(lambda _: GOOD)
    suite, limits = {"timeout": "1500ms"}, {"concurrency": 2}
    examined = await examine(server.url, suite=suite, limits=limits, user=Talkative(thinking_seconds=0.9))
    assert (examined.ends, examined.outcomes) == ({EndReason.CHECK_DEADLINE}, {Outcome.CANCELLED: PLANNED})
    assert (examined.check.status, examined.incidents) == (CheckStatus.INCONCLUSIVE, [])
