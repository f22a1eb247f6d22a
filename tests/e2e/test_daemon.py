"""The daemon as it runs: real processes, a real database, real sockets; the user is scripted."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.check import CheckStatus
from monitor.incident import NotificationStatus
from monitor.store import Store
from tests.e2e.daemon import DaemonProcess, write_config
from tests.fixtures.assistants import Reaction, Received, ServeAssistant, drips, never_answers, says


@pytest.fixture
async def config(tmp_path: Path, serve_assistant: ServeAssistant) -> Path:
    server = await serve_assistant(lambda _: says("It is thirty days."))
    return write_config(tmp_path, server.url)


async def test_checks_run_by_the_clock_and_are_shown(config: Path) -> None:
    with DaemonProcess(config) as daemon:
        await daemon.until(lambda: any(c.status is CheckStatus.HEALTHY for c in daemon.checks()), "a healthy check")
        await daemon.until(lambda: "assistant_monitor_score" in _text(daemon.get("/metrics")), "a score in the metrics")
        families = {family.name: family for family in text_string_to_metric_families(_text(daemon.get("/metrics")))}
        check = daemon.checks()[-1]
        page = _text(daemon.get(f"/checks/{check.id}", page=True))
        assert check.summary is not None
        assert families["assistant_monitor_score"].samples[0].value == check.summary.mean
        assert _text(daemon.get("/healthz")).startswith('{"ok":true')
        assert "how-long" in page
        assert await daemon.stop() == 0


async def test_no_slot_is_run_twice(config: Path) -> None:
    with DaemonProcess(config) as daemon:
        await daemon.until(lambda: len(daemon.checks()) >= 4, "four checks")
        slots = [check.slot_at for check in daemon.checks()]
        assert None not in slots
        assert len(set(slots)) == len(slots)


async def test_a_signal_in_a_check_ends_it_and_the_daemon(tmp_path: Path, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(lambda _: never_answers())
    with DaemonProcess(write_config(tmp_path, server.url)) as daemon:
        await daemon.until(lambda: bool(server.received), "a conversation under way")
        assert await daemon.stop() == 0
        assert [check.status for check in daemon.checks()] == [CheckStatus.ABORTED]


async def test_a_killed_daemon_leaves_no_check_running(tmp_path: Path, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(lambda _: never_answers())
    path = write_config(tmp_path, server.url)
    with DaemonProcess(path) as daemon:
        await daemon.until(lambda: bool(server.received), "a conversation under way")
        await daemon.stop(signal.SIGKILL)
    server.answer = lambda _: says("It is thirty days.")
    with DaemonProcess(path) as daemon:
        await daemon.until(lambda: any(c.status is CheckStatus.HEALTHY for c in daemon.checks()), "a healthy check")
        assert daemon.checks()[-1].status is CheckStatus.ABORTED


async def test_a_second_daemon_on_the_same_file_is_refused(config: Path) -> None:
    with DaemonProcess(config) as first:
        await first.until(first.is_ready, "the first to be ready")
        with DaemonProcess(config, log_name="second.log") as second:
            assert await second.wait() == 4
            assert f"pid {first.process.pid}" in second.said()


async def test_a_port_that_is_taken_is_told(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config.write_text(config.read_text().replace('metrics: "127.0.0.1:0"', f'metrics: "127.0.0.1:{port}"'))
        with DaemonProcess(config) as daemon:
            assert await daemon.wait() == 4
            assert f"cannot listen on 127.0.0.1:{port}" in daemon.said()


async def test_systemd_is_told_how_it_is(config: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"}
        with DaemonProcess(config, environment) as daemon:
            await daemon.until(lambda: bool(daemon.checks()), "a check")
            assert await daemon.stop() == 0
        said = []
        while True:
            try:
                said.append(manager.recv(4096).decode())
            except BlockingIOError:
                break
    assert said[0].startswith("READY=1")
    assert "WATCHDOG=1" in said
    assert said[-1] == "STOPPING=1"


def _text(answer: httpx.Response | None) -> str:
    return "" if answer is None else answer.text


async def test_postgresql_holds_what_it_finds(config: Path, postgres_url: str) -> None:
    config.write_text(config.read_text() + f'store: {{url: "{postgres_url}"}}\n')
    with DaemonProcess(config) as daemon:
        await daemon.until(
            lambda: "assistant_monitor_score{" in _text(daemon.get("/metrics")), "a score in the metrics"
        )
        assert await daemon.stop() == 0
    store = Store.open(postgres_url)
    assert CheckStatus.HEALTHY in {check.status for check in store.checks()}
    store.close()


async def test_a_check_by_command_that_is_terminated_says_so(tmp_path: Path, serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(lambda _: never_answers())
    path = write_config(tmp_path, server.url)
    with DaemonProcess(path, command="check") as command:
        await command.until(lambda: bool(server.received), "a conversation under way")
        assert await command.stop() == 143
        assert [check.status for check in command.checks()] == [CheckStatus.CANCELLED]


async def test_a_message_on_its_way_arrives_before_the_daemon_ends(
    tmp_path: Path, serve_assistant: ServeAssistant
) -> None:
    bad = await serve_assistant(lambda _: says("Who knows."))
    pieces, json = [b'{"ok": ', b"true, ", b'"ts": "1.2", "channel": "C1"}'], {"content-type": "application/json"}
    slow = await serve_assistant(lambda _: drips(pieces, 0.5, headers=json))
    (tmp_path / "token").write_text("xoxb-1234567890")
    notify = f"{{slack: {{token_file: token, channel: '#on-call', base_url: '{slow.origin}/'}}}}"
    with DaemonProcess(write_config(tmp_path, bad.url, notify=notify)) as daemon:
        await daemon.until(lambda: bool(slow.received), "a message on its way")
        assert await daemon.stop() == 0
    store = Store.open(f"sqlite:///{tmp_path / 'monitor.sqlite3'}")
    assert [row.status for row in store.notifications()] == [NotificationStatus.SENT]
    store.close()


REPORTED = """
intents:
  - id: cancel
    description: You are a user who wants to cancel an order.
    script: [please cancel my order A1]
    checklist: [{id: cancelled, kind: tool_call, calls: [{name: cancel, arguments: {order: A1}}], wait: 60s}]
"""


async def test_a_tool_call_that_is_reported_after_the_reply_is_waited_for(
    tmp_path: Path, serve_assistant: ServeAssistant
) -> None:
    asked: list[str] = []

    def answers(request: Received) -> Reaction:
        asked.append(request.headers["x-synthetic-conversation"])
        return says("It is cancelled.")

    path = write_config(tmp_path, (await serve_assistant(answers)).url)
    (tmp_path / "intents.yaml").write_text(REPORTED)
    with DaemonProcess(path) as daemon:
        await daemon.until(lambda: bool(asked), "a conversation")
        report = {"conversation_id": asked[0], "name": "cancel", "arguments": {"order": "A1"}}
        answer = daemon.post("/api/v1/tool-calls", report)
        assert answer.status_code == 202
        await daemon.until(lambda: any(c.status is CheckStatus.HEALTHY for c in daemon.checks()), "a healthy check")
        page = _text(daemon.get(f"/conversations/{asked[0]}", page=True))
        assert "called as expected" in page
        assert '<span class="quiet">reported</span>' in page
        assert await daemon.stop() == 0


async def test_canaries_are_scored_at_the_start_and_told(config: Path) -> None:
    with DaemonProcess(config) as daemon:
        await daemon.until(lambda: "canary_auc 0.9" in _text(daemon.get("/metrics")), "the canaries in the metrics")
        assert "assistant_monitor_canary_alarm 0.0" in _text(daemon.get("/metrics"))
        assert "Canaries" in _text(daemon.get("/", page=True))


async def test_canaries_that_are_turned_off_are_not_scored(config: Path) -> None:
    config.write_text(config.read_text() + "canaries: {enabled: false}\n")
    with DaemonProcess(config) as daemon:
        await daemon.until(lambda: any(c.status is CheckStatus.HEALTHY for c in daemon.checks()), "a healthy check")
        said = daemon.said().replace(config.parent.name, "")  # the folder has the name of this test
        assert "canar" not in _text(daemon.get("/metrics")) + said
