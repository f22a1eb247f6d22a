"""Slack, PagerDuty, Alertmanager, a signed webhook and what Apprise speaks to, on the loopback interface: they check
what they are sent as the real ones do, and keep it.

For the demo and for tests, which can make them refuse, break off or fall silent. What was told is read from the bodies
alone; nothing here knows the outbox.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from monitor.demo.receiver_rules import (
    Body,
    alertmanager_error,
    pagerduty_errors,
    slack_channel_id,
    slack_error,
    told_by_alertmanager,
    told_by_pagerduty,
    told_by_slack,
    told_by_webhook,
)
from monitor.notify import signature

SLACK = "slack"
PAGERDUTY = "pagerduty"
WEBHOOK = "webhook"
ALERTMANAGER = "alertmanager"
APPRISE = "apprise"
WEBHOOK_SECRET = "whsec-0123456789"  # noqa: S105  what the loopback webhook expects
_TOLD = {SLACK: told_by_slack, PAGERDUTY: told_by_pagerduty, WEBHOOK: told_by_webhook}
_CONNECTION = "monitor.connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One body as it came in. `is_accepted`: the receiver has it, whatever the sender was answered.

    The list that Alertmanager is sent is the body's `alerts`.
    """

    channel: str
    path: str
    body: Body
    at: datetime
    is_accepted: bool
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver answers in place of its own answer.

    `is_accepted` with `closes` or `hangs` is the answer that got lost. `hangs`: nothing until the sender leaves;
    `closes`: the connection is reset; `drips`: a byte every 20 ms, without end.
    """

    status: int = 200
    body: object = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    closes: bool = False
    drips: bool = False
    is_accepted: bool = False


class Receivers:
    """All receivers on one port of 127.0.0.1, in a thread of their own. A context manager, or `start` and `stop`."""

    def __init__(self, port: int = 0) -> None:
        self.received: list[Received] = []
        self._answers: dict[str, list[Answer]] = {name: [] for name in (*_TOLD, ALERTMANAGER, APPRISE)}
        self._standing: dict[str, Answer] = {}
        self._changed = threading.Condition()
        self._timestamps: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", port))
        config = uvicorn.Config(
            self._app(),
            http=_ClosableProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="receivers", daemon=True
        )
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.slack_api_url = f"{self.url}/api/"
        self.slack_webhook_url = f"{self.url}/services/T000/B000/secret"
        self.pagerduty_url = f"{self.url}/v2/enqueue"
        self.webhook_url = f"{self.url}/hook"
        self.alertmanager_url = f"{self.url}/alertmanager"
        self.apprise_url = f"json://{self.url.removeprefix('http://')}/apprise"

    def start(self) -> Self:
        """Serve from now on."""
        self._thread.start()
        while self._thread.is_alive() and not self._server.started:
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Stop serving and free the port. What was received stays."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """Forget what was received and every answer that was ordered."""
        with self._changed:
            self.received.clear()
            self._standing.clear()
            for waiting in self._answers.values():
                waiting.clear()

    def answer(self, channel: str, *answers: Answer) -> None:
        """Give these answers to the next requests of the channel, one each; then its own again."""
        self._answers[channel].extend(answers)

    def always_answer(self, channel: str, answer: Answer | None) -> None:
        """Give this answer from now on; None: its own again."""
        if answer is None:
            self._standing.pop(channel, None)
        else:
            self._standing[channel] = answer

    def answer_itself(self, channel: str) -> None:
        """Give the channel's own answers again, whatever was ordered. What was received stays."""
        self._answers[channel].clear()
        self._standing.pop(channel, None)

    def choose(self, channel: str) -> Answer | None:
        """The answer to a request for which none was ordered; None: the channel's own. For receivers with whims."""
        return None

    def take_deliveries(self) -> list[dict[str, str]]:
        """What was told since this was asked last; what was received is forgotten."""
        with self._changed:
            told = self.deliveries()
            self.received.clear()
        return told

    def deliveries(self) -> list[dict[str, str]]:
        """What was told, in order: `channel`, `kind` (open, resolve, info) and `dedup_key` of each accepted body.

        An update of an earlier message tells nobody, and is left out.
        """
        accepted = [r for r in self.received if r.is_accepted and not r.path.endswith("chat.update")]
        told = [_told(received) for received in accepted]
        return [delivery for delivery in told if delivery]

    def wait_until(self, is_enough: Callable[[Sequence[Received]], bool], deadline_seconds: float) -> bool:
        """Block until what was received is enough; False if it was not by the deadline."""
        with self._changed:
            return self._changed.wait_for(lambda: is_enough(self.received), deadline_seconds)

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/chat.postMessage", self._post_message, methods=["POST"]),
                Route("/api/chat.update", self._update, methods=["POST"]),
                Route("/services/{rest:path}", self._webhook, methods=["POST"]),
                Route("/v2/enqueue", self._enqueue, methods=["POST"]),
                Route("/hook", self._hook, methods=["POST"]),
                Route("/alertmanager/api/v2/alerts", self._alerts, methods=["POST"]),
                Route("/apprise", self._apprise, methods=["POST"]),
            ]
        )

    async def _post_message(self, request: Request) -> Response:
        body = await _json(request)
        error = _auth_error(request) or ("channel_not_found" if not body.get("channel") else slack_error(body))
        return await self._take(SLACK, request, body, error, lambda: self._posted(body))

    async def _update(self, request: Request) -> Response:
        body = await _json(request)
        error = _auth_error(request) or slack_error(body)
        place, timestamp = str(body.get("channel")), str(body.get("ts"))
        if not error and f"{place}:{timestamp}" not in self._timestamps:
            error = "message_not_found"
        own = JSONResponse({"ok": True, "channel": place, "ts": timestamp, "text": body.get("text")})
        return await self._take(SLACK, request, body, error, lambda: own)

    async def _webhook(self, request: Request) -> Response:
        body = await _json(request)
        error = slack_error(body)
        own = PlainTextResponse(error or "ok", 400 if error else 200)
        return await self._take(SLACK, request, body, error, lambda: own, refusal=own)

    async def _enqueue(self, request: Request) -> Response:
        body = await _json(request)
        errors = pagerduty_errors(body)
        refusal = JSONResponse({"status": "invalid event", "message": "Event object is invalid", "errors": errors}, 400)
        own = {"status": "success", "message": "Event processed", "dedup_key": body.get("dedup_key")}
        return await self._take(
            PAGERDUTY, request, body, errors[0] if errors else None, lambda: JSONResponse(own, 202), refusal=refusal
        )

    async def _hook(self, request: Request) -> Response:
        content, body = await _content(request)
        header = request.headers.get(signature.HEADER, "")
        error = None if signature.verify(WEBHOOK_SECRET, content, header, time.time()) else "invalid signature"
        refusal = PlainTextResponse(error or "", 401)
        own = PlainTextResponse("", 204)
        return await self._take(WEBHOOK, request, body, error, lambda: own, refusal=refusal)

    async def _alerts(self, request: Request) -> Response:
        content, _ = await _content(request)
        body = {"alerts": json.loads(content or b"null")}
        error = alertmanager_error(body)
        refusal, own = JSONResponse({"code": 602, "message": error}, 400), PlainTextResponse("")
        return await self._take(ALERTMANAGER, request, body, error, lambda: own, refusal=refusal)

    async def _apprise(self, request: Request) -> Response:
        body = await _json(request)
        return await self._take(APPRISE, request, body, None, lambda: PlainTextResponse("ok"))

    def _posted(self, body: Body) -> Response:
        place = slack_channel_id(str(body["channel"]))
        timestamp = f"1700000000.{len(self._timestamps) + 1:06d}"
        self._timestamps.append(f"{place}:{timestamp}")
        return JSONResponse({"ok": True, "channel": place, "ts": timestamp, "message": {"text": body.get("text")}})

    async def _take(
        self,
        channel: str,
        request: Request,
        body: Body,
        error: str | None,
        accept: Callable[[], Response],
        *,
        refusal: Response | None = None,
    ) -> Response:
        """Keep the body, and answer: as told to, or with the error, or as the real one does."""
        waiting = self._answers[channel]
        scripted = waiting.pop(0) if waiting else self._standing.get(channel) or self.choose(channel)
        is_accepted = error is None and (scripted is None or scripted.is_accepted)
        own = accept() if is_accepted else None
        at = datetime.now(UTC)
        with self._changed:
            self.received.append(
                Received(
                    channel=channel,
                    path=request.url.path,
                    body=body,
                    at=at,
                    is_accepted=is_accepted,
                    headers=dict(request.headers),
                )
            )
            self._changed.notify_all()
        if scripted:
            return await _scripted(scripted, request)
        return own or refusal or JSONResponse({"ok": False, "error": error})


def _told(received: Received) -> dict[str, str] | None:
    if received.channel == ALERTMANAGER:
        return told_by_alertmanager(received.body, received.at)
    tell = _TOLD.get(received.channel)
    return tell(received.body) if tell else None


class _ClosableProtocol(H11Protocol):
    """Hands the application its connection, so that it can be broken off in the middle."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        inner: Any = self.app

        async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
            await inner({**scope, _CONNECTION: self.transport}, receive, send)

        self.app: Any = with_connection


async def _scripted(answer: Answer, request: Request) -> Response:
    if answer.closes:
        request.scope[_CONNECTION].abort()
    if answer.closes or answer.hangs:
        while (await request.receive())["type"] != "http.disconnect":
            pass
    headers = dict(answer.headers)
    if answer.drips:
        return StreamingResponse(_drip(), answer.status, headers, "application/json")
    if isinstance(answer.body, str):
        return PlainTextResponse(answer.body, answer.status, headers)
    return JSONResponse(answer.body, answer.status, headers)


async def _drip() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(0.02)


async def _json(request: Request) -> Body:
    """The body if it is a JSON object, else an empty one, which every receiver refuses."""
    return (await _content(request))[1]


async def _content(request: Request) -> tuple[bytes, Body]:
    """The bytes of the body, and what they say if that is a JSON object."""
    try:
        content = await request.body()
        body = json.loads(content)
    except (ValueError, ClientDisconnect):
        return b"", {}
    return content, body if isinstance(body, dict) else {}


def _auth_error(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        return "not_authed"
    return None if token.startswith("xox") else "invalid_auth"
