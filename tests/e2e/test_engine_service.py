"""A daemon and an engine that are services beside each other: one configuration, a Unix socket between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.check import CheckStatus
from tests.e2e.daemon import DaemonProcess, tiny_userlm, write_config
from tests.fixtures.assistants import ServeAssistant, says


@pytest.fixture
async def config(tmp_path: Path, serve_assistant: ServeAssistant, talking_userlm_folder: Path) -> Path:
    assistant = await serve_assistant(lambda _: says("It is thirty days."))
    servers = f"[{{url: 'unix://{tmp_path}/engine.sock'}}]"
    return write_config(tmp_path, assistant.url, tiny_userlm(talking_userlm_folder, servers))


def engine(config: Path) -> DaemonProcess:
    return DaemonProcess(config, command="engine", log_name="engine.log")


def checked(daemon: DaemonProcess, after: int = 0) -> Callable[[], bool]:
    """Whether there is a healthy check beyond the first `after`."""
    return lambda: any(check.status is CheckStatus.HEALTHY for check in daemon.checks()[: -after or None])


async def test_a_daemon_waits_for_the_engine_and_has_none_of_its_own(config: Path) -> None:
    with DaemonProcess(config) as daemon:
        await daemon.until(lambda: "has been loading" in said_to(daemon, "/readyz"), "the daemon to wait")
        assert 'assistant_monitor_stale_after_seconds{suite="shop"}' in said_to(daemon, "/metrics")
        with engine(config) as service:
            await daemon.until(checked(daemon), "a healthy check")
            assert daemon.children() == []
            assert await service.stop() == 0
        assert await daemon.stop() == 0


async def test_an_engine_that_is_started_again_costs_no_conversation(config: Path) -> None:
    with DaemonProcess(config) as daemon:
        with engine(config):
            await daemon.until(checked(daemon), "a healthy check")
        # Killed, its socket left behind: turns wait until the next one listens.
        before = len(daemon.checks())
        with engine(config):
            await daemon.until(checked(daemon, before + 1), "a later healthy check")
        statuses = {check.status for check in daemon.checks()}
        assert statuses <= {CheckStatus.HEALTHY, CheckStatus.RUNNING}
        assert '"reason":"ready"' in said_to(daemon, "/readyz")
        assert await daemon.stop() == 0


def said_to(daemon: DaemonProcess, path: str) -> str:
    answer = daemon.get(path)
    return answer.text if answer is not None else ""
