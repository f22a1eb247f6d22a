"""Builds an engine from its settings and serves it until it is told to stop.

An engine that is a service of its own tells the service manager how it is; for its child the daemon does that.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Never

import uvicorn
from prometheus_client import disable_created_metrics

from monitor.engine.application import Application
from monitor.engine.lifetime import claim_socket, die_with_parent, is_orphaned, listen_tcp, listen_unix, watch
from monitor.engine.measures import Measures
from monitor.engine.model import load
from monitor.engine.owner import Owner
from monitor.engine.settings import EngineSettings, ExitCode
from monitor.engine.weights import resolve
from monitor.errors import EngineFailure
from monitor.sdnotify import ServiceManager

log = logging.getLogger(__name__)
GRACE_SECONDS = 3
EXTEND_SECONDS = 60.0
TICKS_A_SECOND = 10


def serve(settings: EngineSettings) -> int:
    """Load, test and serve the model; returns an `ExitCode`. Blocks until SIGTERM, SIGINT or the parent's end."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="level=%(levelname)s %(message)s")
    manager = ServiceManager(os.environ if settings.parent_pid is None else {})
    loaded = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> Never:
        manager.stopping()
        if not loaded.is_set():
            # The thread that loads cannot be interrupted, and torch aborts when the interpreter ends around it.
            os._exit(ExitCode.STOPPED)
        raise SystemExit(ExitCode.STOPPED)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)

    def wait(waited_seconds: float) -> None:
        manager.starting(f"loading {settings.name} for {waited_seconds:.0f} s", EXTEND_SECONDS)

    try:
        if settings.socket is not None:
            claim_socket(settings.socket)
        application = begin(settings, loaded, wait)
        listener = _listen(settings)
    except EngineFailure as exc:
        log.error("event=cannot_start reason=%s", exc)
        return ExitCode.CANNOT_START
    try:
        _run(application, listener, manager)
    finally:
        _remove_socket(settings.socket)
        application.owner.stop()
    return ExitCode.STOPPED


def begin(
    settings: EngineSettings, loaded: threading.Event, on_wait: Callable[[float], None] = lambda _: None
) -> Application:
    """The routes over an engine that has loaded and tested its model; `loaded` is set then. Raises EngineFailure.

    From here on the process ends with an `ExitCode` when the device is lost, or loading or a step takes too long.
    `on_wait` hears the seconds waited while the model is loaded.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]
    measures = Measures()
    owner = Owner(settings, lambda: load(_folder(settings), settings), measures, lambda *why: _end(settings, *why))
    _watch(settings, owner, _loading(settings, loaded, on_wait))
    model = owner.start()
    loaded.set()
    return Application(settings, model.vocabulary, model.max_context, owner, measures)


def _folder(settings: EngineSettings) -> Path:
    return resolve(settings.model, settings.revision, settings.cache_dir)


def _listen(settings: EngineSettings) -> socket.socket:
    if settings.socket is not None:
        return listen_unix(settings.socket)
    assert settings.port is not None
    return listen_tcp(settings.host, settings.port)


class WatchedServer(uvicorn.Server):
    """Tells the manager when it serves, and that it is alive while its loop runs and `goes_on` holds."""

    def __init__(self, config: uvicorn.Config, manager: ServiceManager, name: str, goes_on: Callable[[], bool]) -> None:
        super().__init__(config)
        self._manager = manager
        self._name = name
        self._goes_on = goes_on

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve; called by uvicorn."""
        await super().startup(sockets)
        self._manager.ready(f"serving {self._name}")

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; called by uvicorn ten times a second."""
        if counter % TICKS_A_SECOND == 0 and self._goes_on():
            self._manager.alive()
        return await super().on_tick(counter)


def _run(application: Application, listener: socket.socket, manager: ServiceManager) -> None:
    settings = application.settings
    config = uvicorn.Config(
        application.starlette(),
        # Not whatever else is installed: Ray brings others.
        http="h11",
        loop="asyncio",
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    log.info("event=ready model=%s address=%s", settings.name, settings.socket or listener.getsockname())

    def goes_on() -> bool:
        return application.owner.seconds_without_progress() <= settings.no_progress_seconds

    WatchedServer(config, manager, settings.name, goes_on).run(sockets=[listener])


def _loading(settings: EngineSettings, loaded: threading.Event, on_wait: Callable[[float], None]) -> Callable[[], None]:
    """What to look at until the model is loaded: whoever started the engine is to wait, but not for ever."""
    began = time.monotonic()

    def look() -> None:
        waited = time.monotonic() - began
        if loaded.is_set():
            return
        if waited > settings.startup_seconds:
            _end(settings, ExitCode.NO_PROGRESS, f"loading takes longer than {settings.startup_seconds:g} s")
        on_wait(waited)

    return look


def _watch(settings: EngineSettings, owner: Owner, look_at_loading: Callable[[], None]) -> None:
    parent = settings.parent_pid
    was_child = parent == os.getppid()
    if parent is not None:
        die_with_parent(parent)

    def look() -> None:
        look_at_loading()
        if parent is not None and is_orphaned(parent, was_child=was_child):
            _end(settings, ExitCode.STOPPED, "the parent is gone")
        if owner.seconds_without_progress() > settings.no_progress_seconds:
            _end(settings, ExitCode.NO_PROGRESS, f"a step takes longer than {settings.no_progress_seconds:g} s")

    watch(look)


def _end(settings: EngineSettings, code: ExitCode, why: str) -> Never:
    """End the process at once: nothing in it can be waited for."""
    log.error("event=ending code=%d reason=%s", code, why)
    try:
        _remove_socket(settings.socket)
    finally:
        os._exit(code)


def _remove_socket(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)
