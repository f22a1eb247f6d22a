"""The client of OpenAI-compatible assistants against real servers, good and bad."""

import asyncio
import gzip
import itertools
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from monitor.assistants.contract import Assistant, ConversationContext
from monitor.assistants.openai_chat import OpenAiChatAssistant, endpoint
from monitor.errors import (
    AssistantFailure,
    AssistantRateLimited,
    AssistantTimeout,
    ConfigError,
    MonitorError,
    Stopped,
)
from monitor.http import HttpClient
from monitor.transcript import EndReason, ToolCall, Usage
from tests.fixtures.assistants import (
    NO_TRUST,
    Reaction,
    ServeAssistant,
    drips,
    hangs_up,
    in_turn,
    never_answers,
    responds,
    responds_json,
    says,
    sends,
    streams,
)

Connect = Callable[..., OpenAiChatAssistant]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes clients, which are closed at the end."""
    made: list[OpenAiChatAssistant] = []

    def connect(url: str, *, verify: ssl.SSLContext | None = None, **settings: Any) -> OpenAiChatAssistant:
        http = HttpClient(max_response_bytes=50_000, verify=verify or NO_TRUST)
        made.append(OpenAiChatAssistant("shop", http, url, **{"turn_timeout_seconds": 5.0, **settings}))
        return made[-1]

    yield connect
    for assistant in made:
        await assistant.aclose()


class Pauses(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def context(seconds: float | None = None) -> ConversationContext:
    deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
    return ConversationContext(
        conversation_id="conv-1", check_id="check-1", suite="shop-daily", intent_id="returns", deadline=deadline
    )


async def failure_of(assistant: Assistant, seconds: float | None = None) -> MonitorError:
    session = await assistant.open(context(seconds))
    with pytest.raises(MonitorError) as caught:
        await session.send("Hello?")
    await session.close()
    return caught.value


async def reason_for(connect: Connect, serve_assistant: ServeAssistant, reaction: Reaction) -> str:
    server = await serve_assistant(lambda _request: reaction)
    failure = await failure_of(connect(server.url))
    assert type(failure) is AssistantFailure
    assert len(failure.detail) <= 200
    assert failure.detail.isprintable()
    return EndReason(failure.reason).value


async def test_a_conversation_carries_its_own_messages(connect: Connect, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(in_turn(says("Thirty days."), says("You are welcome.")))
    session = await connect(server.url, system_prompt="Be brief.", model="gpt").open(context())
    await session.send("How long?")
    reply = await session.send("Thanks!\ud800")
    assert reply.text == "You are welcome."
    assert server.received[1].json()["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How long?"},
        {"role": "assistant", "content": "Thirty days."},
        {"role": "user", "content": "Thanks!\ufffd"},
    ]


async def test_two_conversations_share_nothing(connect: Connect, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant()
    assistant = connect(server.url)
    first, second = await assistant.open(context()), await assistant.open(context())
    await first.send("one")
    await second.send("two")
    assert [message["content"] for message in server.received[1].json()["messages"]] == ["two"]


async def test_requests_say_that_they_are_synthetic(connect: Connect, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant()
    session = await connect(server.url, api_key="s3cr3t-key", headers={"X-Team": "qa"}).open(context())
    await session.send("Hello")
    request = server.received[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["x-synthetic-monitor"] == "assistant-monitor"
    assert request.headers["x-synthetic-conversation"] == "conv-1"
    assert request.headers["user-agent"].startswith("assistant-monitor/")
    assert (request.headers["authorization"], request.headers["x-team"]) == ("Bearer s3cr3t-key", "qa")
    assert request.json()["user"] == "assistant-monitor:shop-daily"
    assert "metadata" not in request.json()


async def test_the_extra_body_adds_replaces_and_takes_away(connect: Connect, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant()
    extra: dict[str, Any] = {"temperature": 0, "user": None, "stream": None, "metadata": {"a": "b"}, "messages": []}
    session = await connect(server.url, extra_body=extra).open(context())
    await session.send("Hello")
    body = server.received[0].json()
    assert body == {"temperature": 0, "metadata": {"a": "b"}, "messages": [{"role": "user", "content": "Hello"}]}


async def test_a_whole_reply_is_measured_and_has_no_first_token(
    connect: Connect, serve_assistant: ServeAssistant
) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    server = await serve_assistant(lambda _request: says("Found.", tool_calls=[call]))
    reply = await (await connect(server.url).open(context())).send("Find it")
    assert reply.tool_calls == (ToolCall(name="find", arguments="{}"),)
    assert (reply.usage, reply.finish_reason) == (Usage(prompt_tokens=7, completion_tokens=5), "stop")
    assert reply.latency_seconds > 0
    assert reply.first_token_seconds is None


async def test_a_streamed_reply_knows_when_its_first_text_came(
    connect: Connect, serve_assistant: ServeAssistant
) -> None:
    server = await serve_assistant(lambda _request: streams("", "Hel", "lo"))
    reply = await (await connect(server.url, stream=True).open(context())).send("Hi")
    assert (reply.text, reply.finish_reason) == ("Hello", "stop")
    assert reply.first_token_seconds is not None
    assert 0 < reply.first_token_seconds <= reply.latency_seconds
    assert server.received[0].json()["stream_options"] == {"include_usage": True}


async def test_a_server_that_does_not_stream_though_asked_is_understood(
    connect: Connect, serve_assistant: ServeAssistant
) -> None:
    server = await serve_assistant(lambda _request: says("Hello"))
    assert (await (await connect(server.url, stream=True).open(context())).send("Hi")).text == "Hello"


async def test_a_stream_that_breaks_off_is_malformed(connect: Connect, serve_assistant: ServeAssistant) -> None:
    assert await reason_for(connect, serve_assistant, streams("The answer", " is", done=False)) == "malformed"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"null",
        b"[]",
        b"NaN",
        b"<html><title>Sign in</title></html>",
        b"\x1b[2J\x00\xff",
        b"[" * 40_000,
        b'{"choices": null}',
        b'{"choices": [{"message": null}]}',
    ],
)
async def test_an_answer_that_is_none_is_malformed(
    connect: Connect, serve_assistant: ServeAssistant, body: bytes
) -> None:
    reaction = responds(body=body, headers={"content-type": "text/html"})
    assert await reason_for(connect, serve_assistant, reaction) == "malformed"


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: null\n\n", b"data: " + b"[" * 40_000 + b"\n\n"])
async def test_a_stream_of_nonsense_is_malformed(
    connect: Connect, serve_assistant: ServeAssistant, data: bytes
) -> None:
    reaction = sends(data, b"data: [DONE]\n\n", headers={"content-type": "text/event-stream"})
    assert await reason_for(connect, serve_assistant, reaction) == "malformed"


@pytest.mark.parametrize("reaction", [responds(body=b""), responds(204), says(None), says(" "), streams()])
async def test_an_answer_without_text_is_empty(
    connect: Connect, serve_assistant: ServeAssistant, reaction: Reaction
) -> None:
    assert await reason_for(connect, serve_assistant, reaction) == "empty"


@pytest.mark.parametrize(
    "reaction",
    [
        drips(itertools.repeat(b"x" * 4096), 0.0),
        drips(itertools.repeat(b"data: {}\n\n" * 100), 0.0, headers={"content-type": "text/event-stream"}),
        responds(body=gzip.compress(bytes(20_000_000)), headers={"content-encoding": "gzip"}),
    ],
)
async def test_an_answer_without_end_is_too_large(
    connect: Connect, serve_assistant: ServeAssistant, reaction: Reaction
) -> None:
    assert await reason_for(connect, serve_assistant, reaction) == "too_large"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503])
async def test_a_refusal_tells_its_status_and_words(
    connect: Connect, serve_assistant: ServeAssistant, status: int
) -> None:
    server = await serve_assistant(lambda _request: responds_json({"error": {"message": "no\x1b[1m way"}}, status))
    failure = await failure_of(connect(server.url))
    assert isinstance(failure, AssistantFailure)
    assert (failure.reason, failure.detail) == ("http_status", f"HTTP {status}: no way")
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"", ""), (b"<HTML>Bad gateway", ": a web page"), (b"x" * 9000, ": " + "x" * 189 + "…"), (b"[1]", ": [1]")],
)
async def test_a_refusal_is_short_whatever_its_body(
    connect: Connect, serve_assistant: ServeAssistant, body: bytes, said: str
) -> None:
    server = await serve_assistant(lambda _request: responds(502, body))
    failure = await failure_of(connect(server.url))
    assert str(failure) == f"http_status: HTTP 502{said}"


async def test_a_refusal_with_a_broken_body_is_still_a_refusal(
    connect: Connect, serve_assistant: ServeAssistant
) -> None:
    reaction = responds(503, b"\xce\xb2", {"content-encoding": "br"})
    assert await reason_for(connect, serve_assistant, reaction) == "http_status"


async def test_an_echoed_key_is_not_told(connect: Connect, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(lambda request: responds(401, b"not " + request.headers["authorization"].encode()))
    failure = await failure_of(connect(server.url, api_key="s3cr3t-key"))
    assert str(failure) == "http_status: HTTP 401: not Bearer [redacted:api_key]"


async def test_redirects_are_not_followed(connect: Connect, serve_assistant: ServeAssistant) -> None:
    reaction = responds(307, headers={"location": "http://169.254.169.254/"})
    assert await reason_for(connect, serve_assistant, reaction) == "redirected"


async def test_connections_that_fail_say_how(connect: Connect, serve_assistant: ServeAssistant) -> None:
    assert await reason_for(connect, serve_assistant, hangs_up()) == "connection_failed"
    failure = await failure_of(connect("http://assistant.invalid/v1"))
    assert isinstance(failure, AssistantFailure)
    assert failure.reason == "dns_failed"


async def test_an_expired_certificate_is_told(connect: Connect, serve_assistant: ServeAssistant) -> None:
    authority, past = trustme.CA(), datetime.now(UTC) - timedelta(days=1)
    tls, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1", not_before=past - timedelta(days=9), not_after=past).configure_cert(tls)
    authority.configure_trust(trusting)
    server = await serve_assistant(tls=tls)
    failure = await failure_of(connect(server.url, verify=trusting))
    assert isinstance(failure, AssistantFailure)
    assert failure.reason == "tls_failed"
    assert "certificate has expired" in failure.detail


@pytest.mark.parametrize("reaction", [never_answers(), drips(itertools.repeat(b" "), 0.02)])
async def test_an_answer_that_takes_too_long_is_a_timeout_of_the_turn(
    connect: Connect, serve_assistant: ServeAssistant, reaction: Reaction
) -> None:
    server = await serve_assistant(lambda _request: reaction)
    failure = await failure_of(connect(server.url, turn_timeout_seconds=0.2), seconds=60)
    assert isinstance(failure, AssistantTimeout)
    assert failure.reason == "turn_deadline"


async def test_a_deadline_of_the_conversation_met_while_waiting_is_the_assistants_timeout(
    connect: Connect, serve_assistant: ServeAssistant
) -> None:
    server = await serve_assistant(lambda _request: never_answers())
    failure = await failure_of(connect(server.url), seconds=0.2)
    assert isinstance(failure, AssistantTimeout)
    assert failure.reason == "conversation_deadline"
    assert EndReason(failure.reason).outcome == "assistant_timeout"


async def test_an_assistant_that_was_never_asked_is_not_blamed(
    connect: Connect, serve_assistant: ServeAssistant
) -> None:
    server = await serve_assistant()
    failure = await failure_of(connect(server.url), seconds=-1)
    assert isinstance(failure, Stopped)
    assert failure.reason == "check_deadline"
    assert server.received == []


@pytest.mark.parametrize(
    ("headers", "pauses"),
    [
        ({"retry-after": "3"}, [3.0]),
        ({"retry-after": "1.5"}, [1.5]),
        ({"retry-after": "0"}, [1.0]),
        ({"date": "Sat, 01 Mar 2025 10:00:00 GMT", "retry-after": "Sat, 01 Mar 2025 10:00:04 GMT"}, [4.0]),
        ({"retry-after": "soon"}, [1.0]),
        ({}, [1.0]),
    ],
)
async def test_a_429_is_tried_again_after_what_it_asks_for(
    connect: Connect, serve_assistant: ServeAssistant, headers: dict[str, str], pauses: list[float]
) -> None:
    server = await serve_assistant(in_turn(responds(429, headers=headers), says("Hello")))
    slept = Pauses()
    session = await connect(server.url, sleep=slept).open(context())
    assert (await session.send("Hi")).text == "Hello"
    assert slept == pauses


async def test_three_times_429_is_rate_limited(connect: Connect, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(lambda _request: responds(429, b"slow down", {"retry-after": "2"}))
    slept = Pauses()
    failure = await failure_of(connect(server.url, sleep=slept))
    assert isinstance(failure, AssistantRateLimited)
    assert (failure.detail, failure.retry_after_seconds) == ("HTTP 429: slow down", 2.0)
    assert (len(server.received), slept) == (3, [2.0, 2.0])


@pytest.mark.parametrize(("turn_timeout_seconds", "left_seconds"), [(60, 100), (200, 80)])
async def test_a_pause_that_no_deadline_allows_is_not_begun(
    connect: Connect, serve_assistant: ServeAssistant, turn_timeout_seconds: float, left_seconds: float
) -> None:
    server = await serve_assistant(lambda _request: responds(429, headers={"retry-after": "90"}))
    slept = Pauses()
    assistant = connect(server.url, sleep=slept, turn_timeout_seconds=turn_timeout_seconds)
    assert isinstance(await failure_of(assistant, seconds=left_seconds), AssistantRateLimited)
    assert (len(server.received), slept) == (1, [])


@pytest.mark.parametrize(
    ("url", "posted_to"),
    [
        ("http://h:1/v1", "http://h:1/v1/chat/completions"),
        ("https://h/v1/", "https://h/v1/chat/completions"),
        ("https://h", "https://h/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
        ("https://h/d/chat/completions/?api-version=1", "https://h/d/chat/completions?api-version=1"),
    ],
)
def test_both_the_endpoint_and_the_address_above_it_are_understood(url: str, posted_to: str) -> None:
    assert endpoint(url) == posted_to


@pytest.mark.parametrize("url", ["", "h/v1", "ftp://h", "http://", "http://h:99999", "http://[::1"])
def test_an_address_that_is_none_is_an_error_of_the_configuration(url: str) -> None:
    with pytest.raises(ConfigError, match="assistant url"):
        endpoint(url)


async def test_a_key_with_a_line_break_is_an_error_of_the_configuration(connect: Connect) -> None:
    with pytest.raises(ConfigError, match="header 'Authorization'"):
        connect("http://h", api_key="s3cr3t-key\n")
