"""The engine beside the daemon: how long its child stays loaded, and what engines say of themselves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from urllib.parse import urlsplit, urlunsplit

from monitor.bootstrap.in_force import InForce
from monitor.bootstrap.parts import utc_now
from monitor.bootstrap.simulator import SOCKET_URL, Simulator, use_file
from monitor.bootstrap.sockets import engine_socket
from monitor.config import Config
from monitor.config.fields import UNIX
from monitor.config.simulator import ServerSettings
from monitor.engine_metrics import Fetch
from monitor.errors import HttpFailure
from monitor.http import HttpClient
from monitor.residency import Residency
from monitor.schedule import next_slot
from monitor.supervisor import EngineState, EngineSupervisor

log = logging.getLogger(__name__)

CHILD = "child"
PAGE_BYTES = 1_000_000
PAGE_SECONDS = 5.0


def open_residency(in_force: InForce, engine: EngineSupervisor | None, stack: AsyncExitStack) -> Residency | None:
    """Who unloads the engine child and loads it again, at work until the stack ends; None where it stays loaded."""
    config = in_force.config
    limits = config.settings.simulator.engine
    if engine is None or limits.unload_after_seconds is None:
        return None
    residency = Residency(
        engine=engine,
        use_file=use_file(config),
        unload_after_seconds=limits.unload_after_seconds,
        most_lead_seconds=limits.startup_timeout_seconds,
        next_use_seconds=lambda: _seconds_to_next_slot(in_force.config),
        clock=time.monotonic,
    )
    beside(stack, residency.run(), "residency")
    return residency


def _seconds_to_next_slot(config: Config) -> float | None:
    now = utc_now()
    ahead = [(next_slot(schedule, now) - now).total_seconds() for schedule in config.schedules.values() if schedule]
    return min(ahead, default=None)


def engine_pages(config: Config, stack: AsyncExitStack) -> list[tuple[str, Fetch]]:
    """Every server that may be an engine of ours, by the name that it has in metrics, and how to read its page."""
    settings = config.settings.simulator
    if settings.kind == "scripted":
        return []
    if not settings.servers:
        http = HttpClient(socket=str(engine_socket(config)), max_response_bytes=PAGE_BYTES)
        return [(CHILD, _fetch(stack, http, SOCKET_URL, None))]
    return [(shown_url(server.url), _server_page(stack, server)) for server in settings.servers]


def _server_page(stack: AsyncExitStack, server: ServerSettings) -> Fetch:
    http = HttpClient(socket=str(server.socket) if server.socket else None, max_response_bytes=PAGE_BYTES)
    key = server.api_key.reveal() if server.api_key else None
    return _fetch(stack, http, SOCKET_URL if server.socket else server.url, key)


def _fetch(stack: AsyncExitStack, http: HttpClient, base_url: str, key: str | None) -> Fetch:
    """Reads `/metrics` beside `/v1`."""
    stack.push_async_callback(http.aclose)
    headers = {"authorization": f"Bearer {key}"} if key else {}

    async def fetch() -> str:
        url = f"{base_url.rstrip('/')}/metrics"
        answer = await http.request("GET", url, deadline_seconds=PAGE_SECONDS, headers=headers)
        if answer.status != 200:
            raise HttpFailure("malformed", f"HTTP {answer.status}", sent=True)
        return answer.text()

    return fetch


def engine_numbers(config: Config, simulator: Simulator | None) -> dict[str, float]:
    """How the user model's server is. Nothing where users have none."""
    if config.settings.simulator.kind == "scripted":
        return {}
    if simulator is None:
        return {"engine_ready": 0.0}
    if simulator.supervisor is None:
        answered = simulator.client.is_answered if simulator.client else None
        return {} if answered is None else {"engine_ready": float(answered)}
    return {
        "engine_ready": float(simulator.supervisor.state is EngineState.READY),
        "engine_restarts_total": float(simulator.supervisor.restarts),
        "engine_unloaded": float(simulator.supervisor.state is EngineState.UNLOADED),
    }


def engine_trouble(engine: EngineSupervisor | None) -> str | None:
    """Why the daemon's child, if it has one, is not there though it should be; None while all is as it should be."""
    if engine is None or engine.state not in (EngineState.RESTARTING, EngineState.FAILED):
        return None
    return f"the user model's engine is {engine.state}: {engine.reason}"


def shown_url(url: str) -> str:
    """The URL without what may be a secret: user, password and query."""
    if url.startswith(UNIX):
        return url
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def beside(stack: AsyncExitStack, work: Coroutine[None, None, None], name: str) -> None:
    """Do this work beside everything else until the stack ends."""

    async def run() -> None:
        try:
            await work
        except Exception:
            log.exception("task_broke name=%s", name)

    task = asyncio.create_task(run(), name=name)

    async def end() -> None:
        task.cancel()
        await asyncio.wait({task})

    stack.push_async_callback(end)
