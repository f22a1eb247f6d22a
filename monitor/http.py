"""The bounded HTTP client: one deadline for a whole exchange, a cap on its bytes, no redirects, no environment.

Knows no protocol above HTTP. A status is not a failure here, except a redirect, which is never followed.
"""

from __future__ import annotations

import asyncio
import re
import socket as sockets
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from json import dumps, loads
from time import perf_counter
from typing import Any, NoReturn

import h11
import httpcore
import httpx

from monitor import __version__
from monitor.errors import HttpFailure
from monitor.inflate import Inflater
from monitor.text import printable

_KEEPALIVE_SECONDS = 2.0  # below what servers keep idle connections for (gunicorn 2, uvicorn 5), or we race their close
# Brotli and Zstandard are not offered: only zlib lets the size of what comes out be bounded before it is in memory.
_HEADERS = {"user-agent": f"assistant-monitor/{__version__}", "accept-encoding": "gzip, deflate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A whole response. Header names are in lower case; times are seconds since the request was begun."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_seconds: float
    first_byte_seconds: float

    def text(self) -> str:
        """The body as UTF-8, with U+FFFD where it is not."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> object:
        """The body as strict JSON. Raises HttpFailure("malformed") for anything else: NaN, or nesting beyond reason."""
        return parse_json(self.body)


class HttpStream:
    """A response whose body is still arriving: iterate it once for decompressed, never empty chunks.

    Iterating raises HttpFailure; the deadline of the exchange and the cap on bytes hold until the stream is left.
    """

    def __init__(self, response: httpx.Response, *, started: float, max_bytes: int) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers.items())
        self.received_bytes = 0
        self.first_byte_seconds = perf_counter() - started
        self._started = started
        self._chunks = self._read(response, max_bytes)

    def elapsed_seconds(self) -> float:
        """Seconds since the request was begun."""
        return perf_counter() - self._started

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks

    async def _read(self, response: httpx.Response, max_bytes: int) -> AsyncIterator[bytes]:
        try:
            inflater = Inflater(self.headers.get("content-encoding", ""))
            async for raw in response.aiter_raw():
                for chunk in inflater.feed(raw):
                    self.received_bytes += len(chunk)
                    if self.received_bytes > max_bytes:
                        raise HttpFailure("too_large", f"HTTP {self.status} with over {max_bytes} bytes", sent=True)
                    yield chunk
            inflater.finish()
        except ValueError as exc:
            raise HttpFailure("malformed", f"HTTP {self.status}: {printable(str(exc), 120)}", sent=True) from exc
        except (httpx.HTTPError, httpx.StreamError, OSError) as exc:
            _raise_failure(exc, sent=True)


class HttpClient:
    """A pool of connections with bounded exchanges. Belongs to one event loop.

    `socket` is the path of a Unix socket to send everything to. Time spent waiting for one of `max_connections` counts
    against the deadline of the exchange, so the number must not be below that of exchanges at once.
    `verify` replaces the trust in certifi's certificate authorities. Cookies are neither kept nor sent.
    """

    def __init__(
        self,
        *,
        max_response_bytes: int = 1_000_000,
        socket: str | None = None,
        max_connections: int = 100,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        self._max_response_bytes = max_response_bytes
        transport = httpx.AsyncHTTPTransport(
            verify=verify if verify is not None else True,
            trust_env=False,
            limits=httpx.Limits(
                max_connections=max_connections,
                max_keepalive_connections=max_connections,
                keepalive_expiry=_KEEPALIVE_SECONDS,
            ),
            uds=socket,
        )
        self._client = httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113  one deadline covers the exchange; httpx's own is per read and does not stop a drip
            headers=_HEADERS,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        deadline_seconds: float,
        headers: Mapping[str, str] | None = None,
        json: object | None = None,
        content: bytes | None = None,
    ) -> HttpResponse:
        """Exchange a request for a whole response, whatever its status. Raises HttpFailure."""
        exchange = self._exchange(method, url, deadline_seconds, headers, _body(json, content))
        async with exchange as stream:
            body = b"".join([chunk async for chunk in stream])
            return HttpResponse(
                status=stream.status,
                headers=stream.headers,
                body=body,
                elapsed_seconds=stream.elapsed_seconds(),
                first_byte_seconds=stream.first_byte_seconds,
            )

    def stream(
        self,
        method: str,
        url: str,
        *,
        deadline_seconds: float,
        headers: Mapping[str, str] | None = None,
        json: object | None = None,
    ) -> AbstractAsyncContextManager[HttpStream]:
        """Begin an exchange and hand over its body as it arrives. Entering and leaving raise HttpFailure too."""
        return self._exchange(method, url, deadline_seconds, headers, _body(json, None))

    async def aclose(self) -> None:
        """Close every connection; nothing may be requested afterwards."""
        await self._client.aclose()

    @asynccontextmanager
    async def _exchange(
        self,
        method: str,
        url: str,
        deadline_seconds: float,
        headers: Mapping[str, str] | None,
        body: tuple[bytes | None, dict[str, str]],
    ) -> AsyncIterator[HttpStream]:
        content, described = body
        sending = _Sending()
        stream: HttpStream | None = None
        started = perf_counter()
        try:
            async with asyncio.timeout(deadline_seconds) as deadline:
                request = _build(self._client, method, url, {**described, **(headers or {})}, content)
                request.extensions["trace"] = sending
                response = await _send(self._client, request, sending)
                try:
                    _refuse_redirect(response)
                    stream = HttpStream(response, started=started, max_bytes=self._max_response_bytes)
                    yield stream
                finally:
                    with suppress(httpx.HTTPError, OSError):
                        await response.aclose()
        except TimeoutError as exc:
            if not deadline.expired():
                raise
            raise HttpFailure("deadline", _deadline_detail(deadline_seconds, stream), sent=sending.began) from exc


@cache
def trust() -> ssl.SSLContext:
    """The trust in certifi's certificate authorities, which takes long to load, for clients that live shortly."""
    return httpx.create_ssl_context(trust_env=False)


def parse_json(body: bytes | str) -> object:
    """Strict JSON from untrusted text. Raises HttpFailure("malformed")."""
    try:
        parsed: object = loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise HttpFailure("malformed", f"not JSON: {printable(str(exc), 120)}", sent=True) from exc
    return parsed


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """What Retry-After asks for, at least 0: seconds (also decimal) or a date. None when it is missing or neither.

    A date is read against the server's own Date where it gives one, so that its clock does not matter.
    """
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{0,9})?", value, re.ASCII):
        return float(value)
    until = _http_date(value)
    since = _http_date(headers.get("date", "")) or now
    return max(0.0, (until - since).total_seconds()) if until is not None else None


def _http_date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # A date without a zone, or with "-0000", is in UTC.
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _body(json: object | None, content: bytes | None) -> tuple[bytes | None, dict[str, str]]:
    if json is None:
        return content, {}
    return dumps(json, allow_nan=False, separators=(",", ":")).encode("ascii"), {"content-type": "application/json"}


class _Sending:
    """httpcore's trace of one request: its socket, and whether a byte of the request may have left."""

    def __init__(self) -> None:
        self.began = False
        self._connected: httpcore.AsyncNetworkStream | None = None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.connect_unix_socket.complete"):
            self._connected = info["return_value"]
        elif event == "http11.send_request_headers.started":
            self.began = True

    async def abandon(self) -> None:
        """Close a socket whose TLS handshake was cancelled: httpcore 1.0.9 forgets it, still open."""
        if self._connected is not None and not self.began:
            await self._connected.aclose()


def _build(
    client: httpx.AsyncClient, method: str, url: str, headers: Mapping[str, str], content: bytes | None
) -> httpx.Request:
    try:
        request = client.build_request(method, url, headers=headers, content=content)
    except (httpx.InvalidURL, ValueError) as exc:
        _raise_failure(exc, sent=False)
    if (request.url.port or 0) > 65535:
        raise HttpFailure("connection_failed", f"port {request.url.port} is over 65535", sent=False)
    return request


async def _send(client: httpx.AsyncClient, request: httpx.Request, sending: _Sending) -> httpx.Response:
    try:
        return await client.send(request, stream=True)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as exc:
        _raise_failure(exc, sent=sending.began)
    except asyncio.CancelledError:
        await sending.abandon()
        raise


def _refuse_redirect(response: httpx.Response) -> None:
    if 300 <= response.status_code < 400:
        target = printable(response.headers.get("location", "nowhere").partition("?")[0], 100)
        raise HttpFailure("redirected", f"HTTP {response.status_code} to {target}", sent=True)


def _deadline_detail(deadline_seconds: float, stream: HttpStream | None) -> str:
    within = f"within {deadline_seconds:.4g} s"
    if stream is None:
        return f"no response {within}"
    return f"HTTP {stream.status} not finished {within}: {stream.received_bytes} bytes"


def _raise_failure(exc: Exception, *, sent: bool) -> NoReturn:
    raise HttpFailure(_kind(exc), printable(str(exc) or type(exc).__name__, 160), sent=sent) from exc


def _kind(exc: Exception) -> str:
    causes = list(_causes(exc))
    if any(isinstance(cause, sockets.gaierror) for cause in causes):
        return "dns_failed"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "tls_failed"
    if any(isinstance(cause, h11.RemoteProtocolError) and not _is_cut_off(cause) for cause in causes):
        return "malformed"
    return "connection_failed"


def _is_cut_off(error: h11.RemoteProtocolError) -> bool:
    """Whether what came was HTTP until the server was gone. h11 tells the two apart by its words alone."""
    return "closed connection" in str(error)


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__ or exc.__context__
