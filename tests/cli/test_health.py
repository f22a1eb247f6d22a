"""`health`: is the daemon well?"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tests.cli.commands import Run, write_config
from tests.e2e import daemon as e2e
from tests.fixtures.assistants import Reaction, ServeAssistant, responds, responds_json, says


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def listening_at(folder: Path, port: int) -> Path:
    return write_config(folder, server={"metrics": f"127.0.0.1:{port}"})


async def test_a_running_daemon_is_well_and_ready(serve_assistant: ServeAssistant, tmp_path: Path, run: Run) -> None:
    server = await serve_assistant(lambda _: says("It is thirty days."))
    path = e2e.write_config(tmp_path, server.url)
    path.write_text(path.read_text().replace('metrics: "127.0.0.1:0"', f'metrics: "127.0.0.1:{free_port()}"'))
    with e2e.DaemonProcess(path) as daemon:
        await daemon.until(lambda: run("health", "--ready", "--config", path).code == 0, "the daemon to be ready")
        done = run("health", "--config", path)
        assert (done.code, done.out, done.err) == (0, "ok\n", "")
        assert await daemon.stop() == 0
    assert run("health", "--config", path).code == 4


async def test_a_daemon_that_is_not_ready_says_why(serve_assistant: ServeAssistant, tmp_path: Path, run: Run) -> None:
    reason = "the user model has been loading for 3 s"
    server = await serve_assistant(lambda _: responds_json({"ok": False, "reason": reason}, 503))
    done = await asyncio.to_thread(run, "health", "--ready", "--config", listening_at(tmp_path, server.port))
    assert (done.code, done.out, done.err) == (4, "", f"{reason}\n")
    assert [request.path for request in server.received] == ["/readyz"]


@pytest.mark.parametrize(
    "answer", [responds(200, b"<html>"), responds_json([1]), responds_json({}), responds_json({"reason": [1]}, 503)]
)
async def test_a_stranger_on_the_port_is_not_well(
    answer: Reaction, serve_assistant: ServeAssistant, tmp_path: Path, run: Run
) -> None:
    server = await serve_assistant(lambda _: answer)
    done = await asyncio.to_thread(run, "health", "--config", listening_at(tmp_path, server.port))
    assert (done.code, done.out) == (4, "")
    assert done.err.count("\n") == 1


def test_nobody_there_is_told_with_the_address(tmp_path: Path, run: Run) -> None:
    port = free_port()
    done = run("health", "--config", listening_at(tmp_path, port))
    assert (done.code, done.out) == (4, "")
    assert f"no answer from http://127.0.0.1:{port}/healthz: " in done.err


@pytest.mark.parametrize(
    ("metrics", "said"), [(None, "server.metrics is off"), ("127.0.0.1:0", "server.metrics takes any free port")]
)
def test_without_an_address_nobody_can_be_asked(metrics: str | None, said: str, tmp_path: Path, run: Run) -> None:
    done = run("health", "--config", write_config(tmp_path, server={"metrics": metrics}))
    assert (done.code, done.out) == (2, "")
    assert said in done.err


async def test_a_file_that_was_spoilt_since_says_nothing_about_the_daemon(
    serve_assistant: ServeAssistant, tmp_path: Path, run: Run
) -> None:
    server = await serve_assistant(lambda _: responds_json({"ok": True, "reason": "ok"}))
    path = tmp_path / "monitor.yaml"
    path.write_text(
        f'server: {{metrics: "127.0.0.1:{server.port}", pages: "0.0.0.0:{server.port}"}}\n'
        "nonsense: 1\nnotify: {slack: {token_file: /not/there}}\n"
    )
    done = await asyncio.to_thread(run, "health", "--config", path)
    assert (done.code, done.out) == (0, "ok\n")
