"""Servers that are not ours, as processes on loopback, and the same workload through them. Knows none in particular."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.benchmarks.engine.client import Ask, play
from tests.benchmarks.engine.figures import Run
from tests.benchmarks.engine.machine import cpu_seconds_of_session, processes_of_session
from tests.benchmarks.engine.workload import Workload

START_SECONDS = 400.0
REQUEST_SECONDS = 600.0
STOP_SECONDS = 20.0
TAIL_CHARACTERS = 600


@dataclass(frozen=True, slots=True)
class Foreign:
    """How a server is started and asked. `command` is given the port; `compared_with` is the engine's dtype beside it.

    `missing` says why it cannot be measured here; None when it can.
    """

    name: str
    compared_with: str
    command: Callable[[int], list[str]]
    asking: Callable[[httpx.AsyncClient], Ask]
    environment: Mapping[str, str] = field(default_factory=dict)
    differs: str = ""
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class RunningForeign:
    """A server that answers."""

    foreign: Foreign
    process: subprocess.Popen[bytes]
    port: int

    def run(self, work: Workload) -> Run:
        """Play a workload through it, all conversations at once."""
        return asyncio.run(self._run(work))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Its processes stand still: some spin while nobody asks them, at the cost of whoever is measured."""
        processes = processes_of_session(self.process.pid)
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)

    async def _run(self, work: Workload) -> Run:
        limits = httpx.Limits(max_connections=None)
        url = f"http://127.0.0.1:{self.port}"
        async with httpx.AsyncClient(base_url=url, timeout=REQUEST_SECONDS, limits=limits, trust_env=False) as client:
            return await play(self.foreign.asking(client), work, lambda: cpu_seconds_of_session(self.process.pid))


@contextlib.contextmanager
def running(foreign: Foreign, place: Path) -> Iterator[RunningForeign]:
    """The server in a session of its own, ended with the block. Raises RuntimeError when it does not come up."""
    port = _free_port()
    log = place / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            foreign.command(port),
            env={**os.environ, **foreign.environment},
            cwd=place,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await_health(process, port, log)
        yield RunningForeign(foreign, process, port)
    finally:
        _end(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_health(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode}: {log.read_text(errors='replace')[-TAIL_CHARACTERS:]}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False).is_success:
                return
        time.sleep(0.2)
    raise RuntimeError(f"not ready after {START_SECONDS:g} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The leader is asked, then the whole session is killed: servers leave workers behind."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
