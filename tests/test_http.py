"""The bounded client against real servers that misbehave."""

import asyncio
import gzip
import itertools
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import HttpFailure
from monitor.http import HttpClient, HttpResponse, retry_after_seconds
from tests.fixtures.assistants import (
    NO_TRUST,
    Reaction,
    Received,
    ServeAssistant,
    drips,
    hangs_up,
    in_turn,
    never_answers,
    raw,
    responds,
    responds_json,
    sends,
)


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient(max_response_bytes=10_000, verify=NO_TRUST)
    yield client
    await client.aclose()


async def failure_of(client: HttpClient, url: str, deadline_seconds: float = 5.0) -> HttpFailure:
    with pytest.raises(HttpFailure) as caught:
        await client.request("POST", url, deadline_seconds=deadline_seconds, json={"ask": 1})
    return caught.value


async def test_a_response_comes_back_whole_whatever_its_status(
    client: HttpClient, serve_assistant: ServeAssistant
) -> None:
    server = await serve_assistant(lambda _request: responds_json({"why": "tired"}, status=503))
    response = await client.request("POST", server.url, deadline_seconds=5, json={"a": "ü\ud800"})
    assert (response.status, response.json()) == (503, {"why": "tired"})
    assert response.headers["content-type"] == "application/json"
    assert 0 <= response.first_byte_seconds <= response.elapsed_seconds
    assert server.received[0].json() == {"a": "ü\ud800"}


async def test_a_unix_socket_takes_the_place_of_the_address(tmp_path: Path, serve_assistant: ServeAssistant) -> None:
    path = str(tmp_path / "s")
    await serve_assistant(lambda _request: responds(body=b"hello"), unix_socket=path)
    client = HttpClient(socket=path, verify=NO_TRUST)
    response = await client.request("GET", "http://engine/health", deadline_seconds=5)
    await client.aclose()
    assert response.text() == "hello"


async def test_a_server_that_never_answers_meets_the_deadline(
    client: HttpClient, serve_assistant: ServeAssistant
) -> None:
    server = await serve_assistant(lambda _request: never_answers())
    failure = await failure_of(client, server.url, deadline_seconds=0.1)
    assert (failure.kind, failure.sent) == ("deadline", True)
    assert failure.detail == "no response within 0.1 s"


async def test_a_body_that_drips_meets_the_same_deadline(client: HttpClient, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(lambda _request: drips(itertools.repeat(b"x"), 0.02))
    failure = await failure_of(client, server.url, deadline_seconds=0.3)
    assert failure.kind == "deadline"
    assert failure.detail.startswith("HTTP 200 not finished within 0.3 s")


async def test_a_tls_handshake_without_end_was_sent_nothing_and_leaves_no_socket_open(client: HttpClient) -> None:
    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        closed.set()
        writer.close()

    closed = asyncio.Event()
    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    failure = await failure_of(client, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", 0.1)
    await closed.wait()
    server.close()
    await server.wait_closed()
    assert (failure.kind, failure.sent) == ("deadline", False)


async def test_a_body_without_end_is_cut_at_the_cap(client: HttpClient, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(lambda _request: drips(itertools.repeat(b"x" * 4096), 0.0))
    failure = await failure_of(client, server.url)
    assert (failure.kind, failure.detail) == ("too_large", "HTTP 200 with over 10000 bytes")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_bomb_is_cut_by_its_decompressed_size(
    client: HttpClient, serve_assistant: ServeAssistant, encoding: str
) -> None:
    squeeze: Callable[[bytes], bytes] = gzip.compress if encoding == "gzip" else zlib.compress
    bomb = squeeze(bytes(20_000_000))
    server = await serve_assistant(lambda _request: responds(body=bomb, headers={"content-encoding": encoding}))
    seen = 0
    with pytest.raises(HttpFailure, match="too_large"):
        async with client.stream("GET", server.url, deadline_seconds=5) as stream:
            async for chunk in stream:
                seen += len(chunk)
    assert seen + stream.received_bytes <= 10_000 + 64 * 1024


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello", wbits=-zlib.MAX_WBITS)),
        ("identity", b"hello"),
    ],
)
async def test_compressed_bodies_are_read(
    client: HttpClient, serve_assistant: ServeAssistant, encoding: str, body: bytes
) -> None:
    server = await serve_assistant(lambda _request: responds(body=body, headers={"content-encoding": encoding}))
    assert (await client.request("GET", server.url, deadline_seconds=5)).body == b"hello"


async def test_a_large_compressed_body_loses_nothing(serve_assistant: ServeAssistant) -> None:
    text = b"".join(b"%d," % number for number in range(40_000))
    pieces = gzip.compress(text)
    server = await serve_assistant(lambda _request: sends(pieces[:7], pieces[7:], headers={"content-encoding": "gzip"}))
    client = HttpClient()
    response = await client.request("GET", server.url, deadline_seconds=5)
    await client.aclose()
    assert response.body == text


@pytest.mark.parametrize(
    "reaction",
    [
        raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n"),
        responds(body=gzip.compress(bytes(100))[:-9], headers={"content-encoding": "gzip"}),
        responds(body=b"plain after all", headers={"content-encoding": "gzip"}),
        responds(body=b"x", headers={"content-encoding": "br"}),
    ],
)
async def test_what_is_not_http_is_malformed(
    client: HttpClient, serve_assistant: ServeAssistant, reaction: Reaction
) -> None:
    server = await serve_assistant(lambda _request: reaction)
    assert (await failure_of(client, server.url)).kind == "malformed"


async def test_a_refused_connection_was_sent_nothing(client: HttpClient, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant()
    await server.stop()
    failure = await failure_of(client, server.url)
    assert (failure.kind, failure.sent) == ("connection_failed", False)


async def test_a_connection_that_breaks_may_have_been_sent_the_request(
    client: HttpClient, serve_assistant: ServeAssistant
) -> None:
    server = await serve_assistant(lambda _request: hangs_up())
    failure = await failure_of(client, server.url)
    assert (failure.kind, failure.sent) == ("connection_failed", True)


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 200 OK\r\ncontent-len",
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
)
async def test_a_response_that_breaks_off_is_a_failed_connection(
    client: HttpClient, serve_assistant: ServeAssistant, begun: bytes
) -> None:
    server = await serve_assistant(lambda _request: raw(begun))
    failure = await failure_of(client, server.url)
    assert (failure.kind, failure.sent) == ("connection_failed", True)


async def test_a_name_that_does_not_resolve_is_told_apart(client: HttpClient) -> None:
    failure = await failure_of(client, "http://assistant.invalid/v1")
    assert (failure.kind, failure.sent) == ("dns_failed", False)


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "http://", "http://[::1", "no url at all", "http://127.0.0.1:99999"]
)
async def test_an_address_that_is_none_fails_before_anything_is_sent(client: HttpClient, url: str) -> None:
    failure = await failure_of(client, url)
    assert (failure.kind, failure.sent) == ("connection_failed", False)


async def test_an_expired_certificate_is_a_failure_of_tls(serve_assistant: ServeAssistant) -> None:
    authority, past = trustme.CA(), datetime.now(UTC) - timedelta(days=1)
    expired = authority.issue_cert("127.0.0.1", not_before=past - timedelta(days=30), not_after=past)
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    expired.configure_cert(theirs)
    authority.configure_trust(ours)
    server = await serve_assistant(tls=theirs)
    client = HttpClient(verify=ours)
    failure = await failure_of(client, server.url)
    await client.aclose()
    assert (failure.kind, failure.sent) == ("tls_failed", False)
    assert "expired" in failure.detail


@pytest.mark.parametrize("target", ["/again", "http://169.254.169.254/latest/meta-data?token=s3cr3t"])
async def test_redirects_are_never_followed(client: HttpClient, serve_assistant: ServeAssistant, target: str) -> None:
    server = await serve_assistant(lambda _request: responds(302, headers={"location": target}))
    failure = await failure_of(client, server.url)
    assert failure.kind == "redirected"
    assert "s3cr3t" not in failure.detail
    assert len(server.received) == 1


async def test_the_environment_names_no_proxy(serve_assistant: ServeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")  # the environment is what is tested
    server = await serve_assistant(lambda _request: responds(body=b"direct"))
    fresh = HttpClient()
    assert (await fresh.request("GET", server.url, deadline_seconds=5)).text() == "direct"
    await fresh.aclose()


async def test_one_conversation_is_not_given_the_cookies_of_another(
    client: HttpClient, serve_assistant: ServeAssistant
) -> None:
    server = await serve_assistant(lambda _request: responds(headers={"set-cookie": "session=1; Path=/"}))
    await client.request("GET", server.url, deadline_seconds=5)
    await client.request("GET", server.url, deadline_seconds=5)
    assert "cookie" not in server.received[1].headers


async def test_a_stream_hands_over_its_chunks_and_keeps_the_time(
    client: HttpClient, serve_assistant: ServeAssistant
) -> None:
    server = await serve_assistant(lambda _request: sends(b"one", b"two"))
    async with client.stream("POST", server.url, deadline_seconds=5, json={}) as stream:
        body = b"".join([chunk async for chunk in stream])
        assert (stream.status, body, stream.received_bytes) == (200, b"onetwo", 6)
        assert stream.elapsed_seconds() >= stream.first_byte_seconds


async def test_a_stream_left_early_does_not_hold_its_connection(serve_assistant: ServeAssistant) -> None:
    endless = drips(itertools.repeat(b"x" * 100), 0.01)
    server = await serve_assistant(in_turn(endless, responds(body=b"next")))
    client = HttpClient(max_connections=1, verify=NO_TRUST)
    async with client.stream("GET", server.url, deadline_seconds=5) as stream:
        await anext(aiter(stream))
    assert (await client.request("GET", server.url, deadline_seconds=5)).text() == "next"
    await client.aclose()


async def test_a_cancelled_request_is_cancelled_and_not_a_deadline(
    client: HttpClient, serve_assistant: ServeAssistant
) -> None:
    asked = asyncio.Event()

    def answer(_request: Received) -> Reaction:
        asked.set()
        return never_answers()

    server = await serve_assistant(answer)
    asking = asyncio.create_task(client.request("GET", server.url, deadline_seconds=5))
    await asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize("body", [b"", b"<html>", b"NaN", b"[1e", b"\xff\xfe\x00", b"[" * 100_000, b'{"a":Infinity}'])
def test_json_that_is_none_is_malformed(body: bytes) -> None:
    response = HttpResponse(status=200, headers={}, body=body, elapsed_seconds=0, first_byte_seconds=0)
    with pytest.raises(HttpFailure, match="malformed"):
        response.json()


async def test_a_failure_tells_its_reason_in_one_short_printable_line(
    client: HttpClient, serve_assistant: ServeAssistant
) -> None:
    hostile = b"HTTP/1.1 302 Found\r\nlocation: \x1b[2J/" + b"y" * 5000 + b"\r\n\r\n"
    server = await serve_assistant(lambda _request: raw(hostile))
    failure = await failure_of(client, server.url)
    assert len(str(failure)) < 200
    assert str(failure).isprintable()


NOW = datetime(2025, 3, 1, 10, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "99999"}, 99999.0),
        ({"retry-after": "Sat, 01 Mar 2025 10:00:30 GMT"}, 30.0),
        ({"retry-after": "Sat, 01 Mar 2025 09:00:00 GMT"}, 0.0),
        ({"retry-after": "Sat, 01 Mar 2025 08:00:05 GMT", "date": "Sat, 01 Mar 2025 08:00:00 GMT"}, 5.0),
        ({"retry-after": "Sat, 01 Mar 2025 10:00:05 -0000", "date": "rubbish"}, 5.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


@given(st.text(max_size=60))
def test_no_retry_after_whatever_is_worse_than_none(value: str) -> None:
    seconds = retry_after_seconds({"retry-after": value, "date": value}, NOW)
    assert seconds is None or 0 <= seconds < 1e12
