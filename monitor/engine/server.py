"""Builds an engine from its settings and serves it until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
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

log = logging.getLogger(__name__)
GRACE_SECONDS = 3


def serve(settings: EngineSettings) -> int:
    """Load, test and serve the model; returns an `ExitCode`. Blocks until SIGTERM, SIGINT or the parent's end."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="level=%(levelname)s %(message)s")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    disable_created_metrics()  # type: ignore[no-untyped-call]
    measures = Measures()
    try:
        owner = Owner(settings, lambda: load(_folder(settings), settings), measures, lambda *why: _end(settings, *why))
        if settings.socket is not None:
            claim_socket(settings.socket)
        _watch(settings, owner)
        model = owner.start()
        listener = _listen(settings)
    except EngineFailure as exc:
        log.error("event=cannot_start reason=%s", exc)
        return ExitCode.CANNOT_START
    try:
        _run(Application(settings, model.vocabulary, model.max_context, owner, measures), listener)
    finally:
        _remove_socket(settings.socket)
        owner.stop()
    return ExitCode.STOPPED


def _folder(settings: EngineSettings) -> Path:
    return resolve(settings.model, settings.revision, settings.cache_dir)


def _listen(settings: EngineSettings) -> socket.socket:
    if settings.socket is not None:
        return listen_unix(settings.socket)
    assert settings.port is not None
    return listen_tcp(settings.host, settings.port)


def _run(application: Application, listener: socket.socket) -> None:
    settings = application.settings
    config = uvicorn.Config(
        application.starlette(),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    log.info("event=ready model=%s address=%s", settings.name, settings.socket or listener.getsockname())
    uvicorn.Server(config).run(sockets=[listener])


def _watch(settings: EngineSettings, owner: Owner) -> None:
    parent = settings.parent_pid
    was_child = parent == os.getppid()
    if parent is not None:
        die_with_parent(parent)

    def look() -> None:
        if parent is not None and is_orphaned(parent, was_child=was_child):
            _end(settings, ExitCode.STOPPED, "the parent is gone")
        if owner.seconds_without_progress() > settings.no_progress_seconds:
            _end(settings, ExitCode.NO_PROGRESS, f"a step takes longer than {settings.no_progress_seconds:g} s")

    watch(look)


def _stop(_signal: int, _frame: FrameType | None) -> Never:
    raise SystemExit(ExitCode.STOPPED)


def _end(settings: EngineSettings, code: ExitCode, why: str) -> Never:
    """End the process at once: nothing in it can be waited for."""
    log.error("event=ending code=%d reason=%s", code, why)
    _remove_socket(settings.socket)
    os._exit(code)


def _remove_socket(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)
