"""Clocks that jump, processes that sleep, and checks that outlast their interval."""

from __future__ import annotations

import asyncio
import re
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.check import CheckStatus
from monitor.machine import NotificationKind
from monitor.store import Store
from tests.faults.daemon import FaultDaemon, Scene
from tests.selfwatch.looking import Looking

HOUR, YEARS = timedelta(hours=1), timedelta(days=3653)
EPOCH = datetime(1970, 1, 1, 0, 0, 30, tzinfo=UTC)
LOOK_SECONDS = "0.5"
OPEN, RESOLVE = NotificationKind.OPEN, NotificationKind.RESOLVE


def impaired(scene: Scene, *arguments: str) -> FaultDaemon:
    """A daemon that looks at itself twice a second."""
    daemon = FaultDaemon(scene.config, module="tests.faults.impaired", arguments=("--look", LOOK_SECONDS, *arguments))
    daemon.store_url = scene.store_url
    scene.daemons.append(daemon)
    return daemon


def resident_bytes(daemon: FaultDaemon) -> int:
    """What the process holds in memory."""
    pages = Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def told_jump(scene: Scene) -> float | None:
    """By how many seconds the clock jumped at last, as its alert says; None: it has none."""
    states = [state for state in scene.alert_states() if state.scope == "monitor/clock"]
    said = re.search(r"jumped by ([+-]\d+) s", "".join(breach.reason for state in states for breach in state.breaches))
    return float(said[1]) if said else None


def scopes_told(scene: Scene) -> set[str]:
    """The scopes that any message was about."""
    return {row.scope for row in scene.notifications()}


async def jump(scene: Scene, daemon: FaultDaemon, clock: Path, *, by: float, to: timedelta) -> None:
    """Set the wall clock, and wait until that is told and checks went on: one at each slot, none in a row."""
    before = len(scene.statuses())
    clock.write_text(str(to.total_seconds()))
    await daemon.until(lambda: abs((told_jump(scene) or 0.0) - by) < 5, f"a jump by {by:.0f} s told")
    told = len(scene.statuses())
    await daemon.until(lambda: len(scene.statuses()) > told + 1, "checks go on")
    assert len(scene.statuses()) - before < 15


async def test_a_wall_clock_that_jumps_delays_no_check_and_is_told(scene: Scene) -> None:
    """T1. An hour back, an hour ahead, ten years ahead, 1970."""
    scene.can_recover = False  # the clock's own alert lasts for an hour
    clock = scene.folder / "clock"
    clock.write_text("0")
    daemon = impaired(scene, "--clock", str(clock))
    await daemon.until(lambda: scene.statuses().count(CheckStatus.HEALTHY) > 2, "checks")
    assert scopes_told(scene) == set()
    held, now = resident_bytes(daemon), timedelta()
    for shift in (-HOUR, HOUR, YEARS, EPOCH - datetime.now(UTC)):
        await jump(scene, daemon, clock, by=(shift - now).total_seconds(), to=shift)
        now = shift
    assert resident_bytes(daemon) - held < 50 * 2**20
    assert scopes_told(scene) == {"monitor/clock"}
    assert set(scene.statuses()) <= {CheckStatus.HEALTHY, CheckStatus.RUNNING}


@pytest.mark.parametrize("shift", [-HOUR, HOUR, YEARS, -YEARS])
async def test_a_wall_clock_that_jumps_neither_makes_data_missing_nor_brings_any(
    sqlite_store: Store, shift: timedelta
) -> None:
    """T1."""
    looking = Looking(sqlite_store)
    looking.check()
    await looking.look()
    looking.at += shift
    for _ in range(9):
        await looking.look(after=3600)
    assert "s/overall" not in looking.open
    for _ in range(2):
        await looking.look(after=3600)
    assert "s/overall" in looking.open
    looking.at -= shift
    for _ in range(3):
        await looking.look(after=60)
    assert "s/overall" in looking.open


async def test_the_alert_of_a_clock_ends_when_it_went_evenly_for_an_hour(sqlite_store: Store) -> None:
    """T1."""
    looking = Looking(sqlite_store)
    looking.check()
    await looking.look()
    looking.at += HOUR
    await looking.look(after=15)
    await looking.look(after=3599)
    assert looking.open == ["monitor/clock"]
    await looking.look(after=1)
    assert looking.told == [("monitor/clock", OPEN), ("monitor/clock", RESOLVE)]


async def test_a_machine_that_slept_is_no_clock_that_jumped_and_no_missing_data(sqlite_store: Store) -> None:
    """T3."""
    looking = Looking(sqlite_store)
    looking.check()
    await looking.look()
    looking.sleep(20 * 3600)
    await looking.look(after=15)
    assert looking.open == []


async def test_a_daemon_that_slept_catches_up_with_one_check(scene: Scene) -> None:
    """T3."""
    daemon = impaired(scene)
    await daemon.until(lambda: scene.statuses().count(CheckStatus.HEALTHY) > 1, "checks")
    daemon.process.send_signal(signal.SIGSTOP)
    slept_from = datetime.now(UTC)
    await asyncio.sleep(5)
    slept_until = datetime.now(UTC)
    daemon.process.send_signal(signal.SIGCONT)
    before = len(scene.statuses())
    await daemon.until(lambda: len(scene.statuses()) > before + 2, "checks again")
    slots = [check.slot_at for check in daemon.checks() if check.slot_at]
    missed = [at for at in slots if slept_from + timedelta(seconds=1) < at <= slept_until]
    assert len(missed) <= 1, missed


async def test_a_check_that_outlasts_its_interval_skips_slots_and_is_told_after_three(scene: Scene) -> None:
    """P4."""
    daemon = impaired(scene)
    await daemon.until(lambda: CheckStatus.HEALTHY in scene.statuses(), "a check")
    assert daemon.value("check_overlaps_total", suite="shop") == 0
    scene.silence()
    await daemon.until(lambda: "monitor/checks.shop" in scopes_told(scene), "the overlaps told")
    assert (daemon.value("check_overlaps_total", suite="shop") or 0) >= 3
    scene.heal()
    await daemon.until(
        lambda: any(s.scope == "monitor/checks.shop" and not s.breaches for s in scene.alert_states()), "over"
    )
    slow = [check for check in daemon.checks() if (check.duration_seconds or 0) > 3]
    assert daemon.log.read_text().count("check_overlaps") == len(slow)
