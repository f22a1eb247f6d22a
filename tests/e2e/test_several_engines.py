"""A daemon with two engines, of which one is killed, and then the other."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from monitor.check import CheckStatus
from tests.e2e.daemon import DaemonProcess, tiny_userlm, write_config
from tests.fixtures.assistants import ServeAssistant, says
from tests.fixtures.models import EngineChild, running_engine


def kill(engine: EngineChild) -> None:
    os.kill(engine.process.pid, signal.SIGKILL)
    engine.process.wait(10)


def healthy(daemon: DaemonProcess, after: int = 0) -> Callable[[], bool]:
    """Whether there is a healthy check beyond the first `after`."""
    return lambda: any(check.status is CheckStatus.HEALTHY for check in daemon.checks()[: -after or None])


def is_ready(daemon: DaemonProcess, value: str) -> Callable[[], bool]:
    """Whether `engine_ready` has this value."""

    def look() -> bool:
        answer = daemon.get("/metrics")
        return answer is not None and f"\nassistant_monitor_engine_ready {value}\n" in answer.text

    return look


async def test_one_engine_is_enough_and_none_is_told(
    tmp_path: Path, serve_assistant: ServeAssistant, talking_userlm_folder: Path
) -> None:
    assistant = await serve_assistant(lambda _: says("It is thirty days."))
    sockets = [tmp_path / "one.sock", tmp_path / "two.sock"]
    servers = ", ".join(f"{{url: 'unix://{socket}'}}" for socket in sockets)
    config = write_config(tmp_path, assistant.url, tiny_userlm(talking_userlm_folder, f"[{servers}]"))
    with contextlib.ExitStack() as stack:
        engines = [stack.enter_context(running_engine(talking_userlm_folder, socket)) for socket in sockets]
        daemon = stack.enter_context(DaemonProcess(config))
        await daemon.until(healthy(daemon), "a healthy check")
        kill(engines[0])
        await daemon.until(healthy(daemon, len(daemon.checks())), "a later healthy check")
        assert {check.status for check in daemon.checks()} <= {CheckStatus.HEALTHY, CheckStatus.RUNNING}
        assert is_ready(daemon, "1.0")()
        kill(engines[1])
        await daemon.until(is_ready(daemon, "0.0"), "the engines to be known to be gone")
        assert await daemon.stop() == 0
    assert "event=server_down server=unix://" in daemon.log.read_text()
