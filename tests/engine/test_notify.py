"""What an engine tells the service manager: all of it as a service of its own, nothing as the daemon's child."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from monitor.engine.server import WatchedServer
from monitor.engine.settings import ExitCode
from monitor.sdnotify import ServiceManager
from tests.fixtures.models import ROOT, running_engine

SECONDS = 60


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The other end of NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(SECONDS)
        yield listening


@contextmanager
def engine_service(folder: Path, tmp_path: Path, *extra: str) -> Iterator[subprocess.Popen[bytes]]:
    """An engine that nobody's process is the parent of."""
    command = [sys.executable, "-m", "monitor.engine", "--model", str(folder), "--socket", str(tmp_path / "s"), *extra]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "NOTIFY_SOCKET": str(tmp_path / "notify")}
    process = subprocess.Popen([*command, "--threads", "1"], cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(manager: socket.socket, word: str) -> list[str]:
    """The messages up to the first with this word."""
    heard = [manager.recv(4096).decode()]
    while word not in heard[-1]:
        heard.append(manager.recv(4096).decode())
    return heard


def test_a_service_loads_is_ready_lives_and_stops(userlm_folder: Path, tmp_path: Path, manager: socket.socket) -> None:
    with engine_service(userlm_folder, tmp_path) as engine:
        *loading, ready = until(manager, "READY=1")
        assert loading and all("STATUS=loading" in word and "EXTEND_TIMEOUT_USEC=6" in word for word in loading)
        assert ready == f"READY=1\nSTATUS=serving {userlm_folder}"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
        until(manager, "WATCHDOG=1")
        engine.send_signal(signal.SIGTERM)
        until(manager, "STOPPING=1")
        assert engine.wait(SECONDS) == ExitCode.STOPPED


@pytest.mark.parametrize("messages", [1, 2, 3])
def test_a_service_that_is_loading_stops_at_once(
    userlm_folder: Path, tmp_path: Path, manager: socket.socket, messages: int
) -> None:
    with engine_service(userlm_folder, tmp_path) as engine:
        for _ in range(messages):
            until(manager, "STATUS=")
        engine.send_signal(signal.SIGTERM)
        until(manager, "STOPPING=1")
        assert engine.wait(SECONDS) == ExitCode.STOPPED


def test_loading_does_not_take_for_ever(userlm_folder: Path, tmp_path: Path, manager: socket.socket) -> None:
    with engine_service(userlm_folder, tmp_path, "--startup-seconds", "0") as engine:
        assert engine.wait(SECONDS) == ExitCode.NO_PROGRESS


def test_a_child_says_nothing(
    userlm_folder: Path, tmp_path: Path, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with running_engine(userlm_folder, tmp_path / "engine.sock"):
        pass
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


@pytest.mark.parametrize(("goes_on", "said"), [(True, 1), (False, 0)])
async def test_only_progress_is_a_sign_of_life(
    tmp_path: Path, manager: socket.socket, *, goes_on: bool, said: int
) -> None:
    server = watched(tmp_path, lambda: goes_on)
    for tick in range(10):
        await server.on_tick(tick)
    manager.setblocking(False)
    with ExitStack() as stack:
        if not said:
            stack.enter_context(pytest.raises(BlockingIOError))
        assert manager.recv(4096) == b"WATCHDOG=1"


def watched(tmp_path: Path, goes_on: Callable[[], bool]) -> WatchedServer:
    config = uvicorn.Config(Starlette(), log_config=None, lifespan="off")
    config.load()
    return WatchedServer(config, ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")}), "m", goes_on)
