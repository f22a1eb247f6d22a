"""Processes that are killed, stopped and started again: what they were doing is neither lost nor done twice."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from monitor.check import CheckRecord, CheckStatus
from monitor.demo.receivers import PAGERDUTY, SLACK, Answer
from tests.e2e.daemon import tiny_userlm
from tests.faults.daemon import FaultDaemon, Scene
from tests.faults.invariants import let_waits_pass

TIMEOUT_STOP_SECONDS = 60.0
"""TimeoutStopSec of systemd/assistant-monitor.service; what is allowed here is far less."""


async def stop_in_a_check(scene: Scene, daemon: FaultDaemon, number: signal.Signals) -> CheckRecord:
    """The check in which the daemon was ended."""
    scene.silence()
    await daemon.until(lambda: CheckStatus.RUNNING in scene.statuses()[-1:], "a check under way")
    await daemon.stop(number)
    return daemon.checks()[0]


async def test_a_check_in_which_the_daemon_is_killed_is_aborted_and_counted_nowhere(scene: Scene) -> None:
    """P1. Gauges come back with their true times, and the slots that were missed are not made up for in a burst."""
    daemon = scene.start()
    await daemon.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a healthy check")
    lost = await stop_in_a_check(scene, daemon, signal.SIGKILL)
    assert lost.status is CheckStatus.RUNNING
    newest = next(check for check in daemon.checks() if check.status is CheckStatus.HEALTHY)
    killed_at = datetime.now(UTC)
    await asyncio.sleep(2.5)
    started_at = datetime.now(UTC)
    again = scene.start()
    await again.until(again.is_ready, "the next start")
    assert again.value("last_valid_check_timestamp_seconds", suite="shop") == newest.started_at.timestamp()
    assert again.value("checks_total", suite="shop", status="aborted") == 1
    scene.heal()
    await again.until(lambda: again.checks()[0].status is CheckStatus.HEALTHY, "a healthy check")
    by_id = {check.id: check for check in again.checks()}
    assert (by_id[lost.id].status, by_id[lost.id].summary) == (CheckStatus.ABORTED, None)
    missed = (killed_at, started_at.replace(microsecond=0))
    assert not [c for c in by_id.values() if c.slot_at and missed[0] < c.slot_at < missed[1]], "a burst"


@pytest.mark.parametrize("is_taken", [False, True], ids=["before the send", "before it is noted"])
async def test_a_message_that_a_kill_cuts_off_is_told_at_most_twice_and_never_lost(
    scene: Scene, is_taken: bool
) -> None:
    """P2. Two incidents: one is on its way when the daemon is killed, the other is committed and not yet sent."""
    other = {"assistant": "scripted", "intents": "intents.yaml", "schedule": {"every": "1s"}, "rounds": 1}
    scene.configure(suites={"other": other})
    for channel in (SLACK, PAGERDUTY):
        scene.receivers.always_answer(channel, Answer(hangs=True, is_accepted=is_taken))
    scene.worsen()
    daemon = scene.start()
    await daemon.until(lambda: min(scene.attempts(SLACK), scene.attempts(PAGERDUTY)) > 0, "both channels asked")
    await daemon.until(lambda: len(scene.notifications()) == 4, "four messages in the outbox")
    await daemon.stop(signal.SIGKILL)
    before = [(row.channel, row.attempts) for row in scene.notifications()]
    assert sorted(attempts for _, attempts in before) == [0, 0, 1, 1]
    scene.mend_channels()
    await let_waits_pass(scene)
    again = scene.start()
    await again.until(lambda: not scene.pending(), "an empty outbox")
    opens = [(told["channel"], told["dedup_key"]) for told in scene.receivers.deliveries() if told["kind"] == "open"]
    duplicates = len(opens) - len(set(opens))
    assert len(set(opens)) == 4
    assert duplicates == (2 if is_taken else 0)


async def test_a_signal_in_a_check_ends_conversations_and_sends_what_is_waiting(scene: Scene, manager: Manager) -> None:
    """P3. Not ready, STOPPING=1, at most five seconds for a channel that hangs, exit 0."""
    scene.receivers.always_answer(SLACK, Answer(hangs=True))
    scene.worsen()
    daemon = scene.start(manager.environment)
    await daemon.until(lambda: scene.attempts(SLACK) > 0, "Slack asked")
    scene.silence()
    await daemon.until(lambda: CheckStatus.RUNNING in scene.statuses()[-1:], "a check under way")
    began = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    await daemon.until(lambda: not daemon.is_ready(), "not ready while it ends")
    assert await daemon.wait() == 0
    assert time.monotonic() - began < TIMEOUT_STOP_SECONDS / 4
    assert manager.said()[-1] == "STOPPING=1"
    assert daemon.checks()[0].status is CheckStatus.ABORTED
    assert scene.told(PAGERDUTY) == [(PAGERDUTY, "open")]
    await let_waits_pass(scene)


async def test_a_second_signal_ends_at_once(scene: Scene) -> None:
    """P3. Also while a channel hangs."""
    scene.receivers.always_answer(SLACK, Answer(hangs=True))
    scene.worsen()
    daemon = scene.start()
    await daemon.until(lambda: scene.attempts(SLACK) > 0, "Slack asked")
    daemon.process.send_signal(signal.SIGTERM)
    await daemon.until(lambda: "daemon_stopping" in daemon.said(), "the first signal taken")
    began = time.monotonic()
    assert await daemon.stop() == 128 + signal.SIGTERM
    assert time.monotonic() - began < 2.0


async def test_an_engine_ends_with_its_killed_daemon_and_leaves_room_for_the_next(
    scene: Scene, talking_userlm_folder: Path
) -> None:
    """P5."""
    scene.configure(simulator=YAML(typ="safe").load(tiny_userlm(talking_userlm_folder)))
    daemon = scene.start()
    await daemon.until(daemon.is_ready, "the daemon to be ready")
    (engine,) = daemon.children()
    resident, sockets = _resident_bytes(engine), _sockets(engine)
    assert resident > 0
    assert sockets
    await daemon.stop(signal.SIGKILL)
    began = time.monotonic()
    while _resident_bytes(engine):
        assert time.monotonic() - began < 10.0, "the engine outlives its daemon"
        await asyncio.sleep(0.05)
    assert not [path for path in sockets if path.exists() and _answers(path)]
    again = scene.start()
    await again.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a healthy check after the next start")


def _resident_bytes(pid: int) -> int:
    """Memory of a process; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _sockets(pid: int) -> list[Path]:
    """The Unix sockets that a process listens on."""
    inodes = {link[8:-1] for fd in Path(f"/proc/{pid}/fd").iterdir() if (link := _target(fd)).startswith("socket:")}
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return [Path(row[7]) for row in rows if len(row) > 7 and row[6] in inodes and row[7].startswith("/")]


def _target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115  a socket's target is no path
    except FileNotFoundError:
        return ""


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_daily_check_that_a_deploy_cuts_off_is_run_once_more(scene: Scene, number: signal.Signals) -> None:
    """P6. The second attempt is the last one, and the slot counts once."""
    scene.configure(suite={"schedule": {"every": "24h"}, "second_attempt_grace": "48h"})
    lost = await stop_in_a_check(scene, scene.start(), number)
    scene.heal()
    again = scene.start()
    await again.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "the second attempt")
    assert await again.stop() == 0
    third = scene.start()
    await third.until(third.is_ready, "a third start")
    await asyncio.sleep(1.5)
    assert [(check.slot_at, check.status) for check in third.checks()] == [
        (lost.slot_at, CheckStatus.HEALTHY),
        (lost.slot_at, CheckStatus.ABORTED),
    ]


async def test_a_daily_check_that_was_lost_too_long_ago_is_left_to_the_next_slot(scene: Scene) -> None:
    """P6. Older than its grace, a lost slot is not run again."""
    scene.configure(suite={"schedule": {"every": "24h"}, "second_attempt_grace": "1s"})
    await stop_in_a_check(scene, scene.start(), signal.SIGTERM)
    scene.heal()
    await asyncio.sleep(1.0)
    again = scene.start()
    await again.until(again.is_ready, "the next start")
    await asyncio.sleep(1.5)
    assert scene.statuses() == [CheckStatus.ABORTED]


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": str(path)}

    def said(self) -> list[str]:
        """What came since this was asked last."""
        said = []
        while True:
            try:
                said.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return said

    def close(self) -> None:
        """Nobody is told any more."""
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()
