"""Who watches the monitor: a process without progress ends, and a service outside is pinged."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.cli.exit_codes import ExitCode
from monitor.sdnotify import ServiceManager
from monitor.selfwatch.watchdog import TICK_LIMITS
from tests.faults.daemon import FaultDaemon, Scene
from tests.selfwatch.pinged import pinged

LIMIT_SECONDS = 1.5


class Manager:
    """A service manager that counts signs of life."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify.sock")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": self.address, "WATCHDOG_USEC": "120000000"}
        assert ServiceManager(self.environment)

    def taken(self) -> list[str]:
        """What came since the last look."""
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.close()


def impaired(scene: Scene, manager: Manager | None = None, *arguments: str) -> FaultDaemon:
    """A daemon that can be made to stand still, with a short watchdog."""
    daemon = FaultDaemon(
        scene.config,
        manager.environment if manager else {},
        log_name=f"daemon-{len(scene.daemons) + 1}.log",
        module="tests.faults.impaired",
        arguments=("--watchdog", str(LIMIT_SECONDS), *arguments),
    )
    daemon.store_url = scene.store_url
    scene.daemons.append(daemon)
    return daemon


@pytest.mark.parametrize(
    ("number", "limits", "why", "stack"),
    [
        (signal.SIGUSR1, 1, "the event loop has made no progress", "_block_loop"),
        (signal.SIGUSR2, TICK_LIMITS, "the scheduler has not ticked", "selectors.py"),
    ],
    ids=["the loop is blocked", "the scheduler died"],
)
async def test_a_process_without_progress_ends_with_its_stacks_and_the_next_one_goes_on(
    scene: Scene, manager: Manager, number: signal.Signals, limits: int, why: str, stack: str
) -> None:
    """W1."""
    daemon = impaired(scene, manager)
    await daemon.until(lambda: len(scene.statuses()) > 1, "checks")
    daemon.process.send_signal(number)
    began = time.monotonic()
    await asyncio.sleep(0.2)
    manager.taken()
    assert await daemon.wait() == ExitCode.INTERNAL
    assert LIMIT_SECONDS * limits - 1.0 < time.monotonic() - began < LIMIT_SECONDS * limits + 10.0
    said = daemon.log.read_text()
    assert f"watchdog_ends_process exit_code=5 reason={why}" in said
    assert stack in said
    if number is signal.SIGUSR1:
        assert "WATCHDOG=1" not in manager.taken()
    before = len(scene.statuses())
    following = impaired(scene)
    await following.until(lambda: len(scene.statuses()) > before, "checks again")


async def test_a_process_that_is_stopped_for_longer_than_the_limit_goes_on(scene: Scene) -> None:
    """W1. Suspended or stopped is not stuck: nobody had time to make progress."""
    daemon = impaired(scene)
    await daemon.until(lambda: len(scene.statuses()) > 1, "checks")
    daemon.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(TICK_LIMITS * LIMIT_SECONDS + 0.5)
    daemon.process.send_signal(signal.SIGCONT)
    before = len(scene.statuses())
    await daemon.until(lambda: len(scene.statuses()) > before + 1, "checks again")


async def test_a_port_that_is_taken_is_said_with_its_address(scene: Scene) -> None:
    """W1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        scene.configure(server={"metrics": f"127.0.0.1:{port}"})
        command = [sys.executable, "-m", "monitor", "run", "--config", str(scene.config)]
        ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == ExitCode.INFRASTRUCTURE
    assert re.search(rf"127\.0\.0\.1:{port}|127\.0\.0\.1 port {port}", ended.stderr), ended.stderr
    assert "Traceback" not in ended.stderr


async def test_pings_that_nobody_takes_touch_no_check_and_are_counted(scene: Scene) -> None:
    """W2."""
    async with pinged() as service:
        (scene.folder / "ping-url").write_text(service.url)
        scene.configure(notify={"dead_man": {"url_file": "ping-url", "timeout": "200ms"}})
        scene.secrets.append("3fd1c0de-secret")
        daemon = impaired(scene)
        await daemon.until(lambda: (daemon.value("dead_man_pings_total", result="ok") or 0) > 1, "pings")
        assert set(service.paths) == {"/ping/3fd1c0de-secret"}
    await daemon.until(lambda: (daemon.value("dead_man_pings_total", result="failed") or 0) > 0, "a failure counted")
    before = len(scene.statuses())
    await daemon.until(lambda: len(scene.statuses()) > before + 2, "checks all the same")
    assert set(scene.statuses()) <= {"healthy", "running"}
