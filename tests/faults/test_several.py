"""Several daemons on one database: each slot is run once, each message sent once, whoever sleeps or dies."""

from __future__ import annotations

import asyncio
import re
import signal

from monitor.check import CheckStatus
from monitor.demo.receivers import PAGERDUTY, SLACK
from tests.faults.daemon import FaultDaemon, Scene
from tests.faults.invariants import connected, every_slot_is_counted_once

LEASE = "3s"


def slots_started(daemon: FaultDaemon) -> list[str]:
    """Those that the daemon began to run, in order."""
    return re.findall(r"check_started suite=shop slot=(\S+) attempt=\d", daemon.log.read_text())


async def test_two_daemons_share_the_slots_and_send_each_message_once(scene_on_postgres: Scene) -> None:
    """H1. Through a drop and its recovery, one open and one end on each channel; when one leaves, the other goes on."""
    scene = scene_on_postgres
    both = [scene.start(), scene.start()]
    for daemon in both:
        await daemon.until(daemon.is_ready, "ready")
    scene.worsen()
    await both[0].until(lambda: len(scene.told()) == 2, "both channels told")
    await both[0].until(lambda: scene.statuses().count(CheckStatus.DEGRADED) >= 4, "further checks")
    scene.heal()
    await both[0].until(lambda: len(scene.told()) == 4, "both channels told of the end")
    busier, other = sorted(both, key=lambda daemon: -len(slots_started(daemon)))
    before = len(slots_started(other))
    assert await busier.stop() == 0
    await other.until(lambda: len(slots_started(other)) > before + 1, "checks by the other")
    started = [slot for daemon in both for slot in slots_started(daemon)]
    assert len(started) == len(set(started))
    assert sorted(scene.told()) == sorted((c, k) for c in (SLACK, PAGERDUTY) for k in ("open", "resolve"))
    with connected(scene.store_url) as connection:
        every_slot_is_counted_once(connection)


async def test_a_check_whose_daemon_sleeps_is_run_again_and_the_sleeper_writes_nothing(
    scene_on_postgres: Scene,
) -> None:
    """H2. Stopped for three leases, then continued."""
    scene = scene_on_postgres
    scene.configure(
        store={"url": scene.store_url, "lease": LEASE},
        suite={"schedule": {"every": "24h"}, "second_attempt_grace": "48h"},
        assistants={"scripted": {"turn_timeout": "60s"}},
    )
    scene.silence()
    sleeper = scene.start()
    await sleeper.until(lambda: scene.statuses() == [CheckStatus.RUNNING], "a check under way")
    other = scene.start()
    await other.until(other.is_ready, "the other ready")
    scene.heal()
    await asyncio.sleep(4.0)
    assert scene.statuses() == [CheckStatus.RUNNING], "a lease that is renewed is respected"
    sleeper.process.send_signal(signal.SIGSTOP)
    await other.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "the second attempt")
    await asyncio.sleep(3.0)
    sleeper.process.send_signal(signal.SIGCONT)
    await sleeper.until(lambda: "slot_taken_over" in sleeper.said(), "the sleeper told so")
    await asyncio.sleep(1.0)
    aborted, healthy = reversed(other.checks())
    assert (aborted.status, healthy.status) == (CheckStatus.ABORTED, CheckStatus.HEALTHY)
    assert (aborted.slot_at, aborted.reason) == (healthy.slot_at, "its process is gone")
    assert "attempt=2" in other.log.read_text()


async def test_a_second_daemon_on_one_file_is_refused_and_a_killed_one_leaves_it_free(scene: Scene) -> None:
    """H3. Exit 4 with the pid of the first."""
    first = scene.start()
    await first.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a healthy check")
    second = scene.start()
    assert await second.wait() == 4
    assert f"already running (pid {first.process.pid})" in second.said()
    assert first.is_ready()
    await first.stop(signal.SIGKILL)
    third = scene.start()
    await third.until(third.is_ready, "ready in its place")
