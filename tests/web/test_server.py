"""The server thread over real connections."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing, suppress

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from monitor.errors import MonitorError
from monitor.web.server import CONNECTIONS, HEADER_BYTES, SWITCH_SECONDS, WebServer, listen

Serve = Callable[..., WebServer]


async def answer(request: Request) -> Response:
    return PlainTextResponse(threading.current_thread().name)


APP = Starlette(routes=[Route("/", answer)])


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers on free ports, and stops them."""
    servers: list[WebServer] = []

    def start(app: ASGIApp = APP, *, exchange_seconds: float = 30.0) -> WebServer:
        server = WebServer(app, host="127.0.0.1", port=0, exchange_seconds=exchange_seconds, stop_seconds=1)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


def url(server: WebServer) -> str:
    return "http://{}:{}/".format(*server.address)


def until_closed(connection: socket.socket) -> bytes:
    """Everything that the server sends before it ends the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def test_it_answers_from_a_thread_of_its_own(serve: Serve) -> None:
    server = serve()
    assert httpx.get(url(server), trust_env=False).text == f"web-{server.address[1]}"


def test_two_servers_run_beside_each_other(serve: Serve) -> None:
    first, second = serve(), serve()
    assert first.address != second.address
    assert [httpx.get(url(server), trust_env=False).status_code for server in (first, second)] == [200, 200]


def test_after_the_stop_nothing_listens_and_no_thread_is_left(serve: Serve) -> None:
    server = serve()
    server.stop()
    assert not server.is_alive
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address)


def test_a_taken_port_is_told_with_its_address(serve: Serve) -> None:
    host, port = serve().address
    with pytest.raises(MonitorError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
        WebServer(APP, host=host, port=port).start()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_told(host: str) -> None:
    with pytest.raises(MonitorError, match=f"cannot listen on {host}:0"):
        WebServer(APP, host=host, port=0).start()


def test_there_is_no_address_before_the_start_and_a_stop_then_is_nothing() -> None:
    server = WebServer(APP, host="127.0.0.1", port=0)
    server.stop()
    with pytest.raises(MonitorError, match="not started"):
        _ = server.address


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost:", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"]
)
def test_a_client_that_does_not_finish_its_request_loses_its_connection(serve: Serve, sent: bytes) -> None:
    server = serve(Starlette(routes=[Route("/", wait_for_body, methods=["POST"])]), exchange_seconds=0.2)
    with closing(socket.create_connection(server.address, timeout=10)) as connection:
        connection.sendall(sent)
        assert until_closed(connection) == b""


async def wait_for_body(request: Request) -> Response:
    return Response(await request.body())


def test_a_client_that_does_not_take_its_answer_loses_its_connection(serve: Serve) -> None:
    ended = threading.Event()

    async def more_than_buffers_hold() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b"x" * 65_536
        ended.set()

    server = serve(
        Starlette(routes=[Route("/", lambda _: StreamingResponse(more_than_buffers_hold()))]), exchange_seconds=0.2
    )
    with closing(socket.create_connection(server.address)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert ended.wait(10)


def test_a_connection_serves_one_request_after_another(serve: Serve) -> None:
    server = serve()
    with httpx.Client(trust_env=False) as browser:
        ports = {browser.get(url(server)).extensions["network_stream"].get_extra_info("client_addr") for _ in range(3)}
    assert len(ports) == 1


def test_of_too_many_connections_the_oldest_that_waits_for_its_client_makes_room(serve: Serve) -> None:
    server = serve()
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(server.address, timeout=10)) for _ in range(CONNECTIONS)]
        with httpx.Client(trust_env=False) as browser:
            assert browser.get(url(server)).status_code == 200
        assert until_closed(idle[0]) == b""
        idle[1].sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert until_closed(idle[1]).startswith(b"HTTP/1.1 200")


def test_headers_beyond_the_limit_are_refused(serve: Serve) -> None:
    with closing(socket.create_connection(serve().address, timeout=10)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * HEADER_BYTES)
        assert until_closed(connection).startswith(b"HTTP/1.1 400")


def test_words_that_are_no_http_are_refused(serve: Serve) -> None:
    with closing(socket.create_connection(serve().address, timeout=10)) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert until_closed(connection).startswith(b"HTTP/1.1 400")


def test_the_server_does_not_tell_what_it_is_made_of(serve: Serve) -> None:
    assert "server" not in httpx.get(url(serve()), trust_env=False).headers


def test_what_is_accepted_sends_without_waiting_for_acknowledgements() -> None:
    with closing(listen("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert client.recv(1) == b""


def test_threads_that_compute_make_way_for_answers_soon(serve: Serve) -> None:
    serve()
    assert sys.getswitchinterval() <= SWITCH_SECONDS * 1.01  # kept in whole microseconds
