"""A web server in a thread with an event loop of its own, so that a busy daemon never delays an answer.

Knows uvicorn and sockets; it does not know what the application shows.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import threading
from typing import ClassVar

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from monitor.errors import MonitorError

HEADER_BYTES = 16_384
CONNECTIONS = 100
KEEP_ALIVE_SECONDS = 5
START_SECONDS = 30.0
SWITCH_SECONDS = 0.001
"""A thread that computes lets others go on after so long, not after Python's 5 ms: an answer takes the interpreter's
lock anew after every call to the system, and each time it waited that long beside a busy check.
"""

logger = logging.getLogger(__name__)


class WebServer:
    """Serves one application on one address. Port 0 takes a free one; `address` tells which.

    A request that is not read, answered and taken by its client within `exchange_seconds` loses its connection. Beyond
    `CONNECTIONS` whoever keeps the server waiting longest makes room: slow clients shut nobody out.
    """

    def __init__(
        self, app: ASGIApp, *, host: str, port: int, exchange_seconds: float = 30.0, stop_seconds: int = 3
    ) -> None:
        self._wanted = (host, port)
        self._stop_seconds = stop_seconds
        self._address: tuple[str, int] | None = None
        self._thread: threading.Thread | None = None
        self._server = _Server(
            uvicorn.Config(
                app,
                http=_protocol(exchange_seconds),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=2 * CONNECTIONS,  # the protocol keeps them below
                h11_max_incomplete_event_size=HEADER_BYTES,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=stop_seconds,
            )
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on. Raises MonitorError before `start`."""
        if self._address is None:
            raise MonitorError("the web server is not started")
        return self._address

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Listen, and return when requests are answered. Raises MonitorError if the address cannot be had."""
        sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))
        listener = listen(*self._wanted)
        host, port = listener.getsockname()[:2]
        self._thread = threading.Thread(target=self._run, args=(listener,), name=f"web-{port}", daemon=True)
        self._thread.start()
        if not self._server.settled.wait(START_SECONDS) or not self._server.started:
            listener.close()
            raise MonitorError(f"the web server on {host}:{port} did not start; the log says why")
        self._address = (host, port)
        logger.info("web_server_listening host=%s port=%d", host, port)

    def stop(self) -> None:
        """Take no new connections, let running requests end for up to `stop_seconds`, then drop them."""
        if self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(self._stop_seconds + 2.0)
        if self._thread.is_alive():
            logger.warning("web_server_stuck host=%s port=%d", *self._wanted)

    def _run(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[listener]))
        finally:
            listener.close()
            self._server.settled.set()


class _Server(uvicorn.Server):
    """uvicorn, telling another thread when it listens. Off the main thread it installs no signal handlers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.settled.set()


class _DeadlineProtocol(H11Protocol):
    """HTTP/1.1 with a deadline for each exchange.

    uvicorn bounds only idle connections: a client that sends a byte now and then, or never reads its answer, could
    hold a connection for ever.
    """

    exchange_seconds: ClassVar[float]
    since: float = 0.0
    """When the exchange began, on the loop's clock."""
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_deadline()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None:
            self._start_deadline()
        super().data_received(data)

    def on_response_complete(self) -> None:
        self._stop_deadline()
        super().on_response_complete()
        if not self.cycle.response_complete or self.transport.get_write_buffer_size():
            self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        super().connection_lost(exc)

    def _make_room(self) -> None:
        """Drop one connection if there are too many: the oldest that its client holds up, else this one."""
        others = [other for other in self.connections if isinstance(other, _DeadlineProtocol) and other is not self]
        live = [other for other in others if not other.transport.is_closing()]
        if len(live) >= CONNECTIONS:
            held_up = [other for other in live if other.waits_for_client]
            min(held_up, key=lambda other: other.since, default=self).transport.abort()

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client's turn: to send, or to take what was sent."""
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            return True
        return bool(self.transport.get_write_buffer_size())

    def _start_deadline(self) -> None:
        self.since = self.loop.time()
        self._deadline = self.loop.call_later(self.exchange_seconds, self.transport.abort)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _protocol(seconds: float) -> type[H11Protocol]:
    """The protocol with this deadline: uvicorn takes a class, not an instance."""

    class Protocol(_DeadlineProtocol):
        exchange_seconds = seconds

    return Protocol


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises MonitorError when the address cannot be had."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=CONNECTIONS)
    except OSError as exc:
        raise MonitorError(f"cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
    # What is accepted inherits it. asyncio sets it only on sockets made with the protocol's number; without it the body
    # of an answer on a kept connection waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
