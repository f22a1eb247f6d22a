"""When the watchdog ends the process, on a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest

from monitor.cli.exit_codes import ExitCode
from monitor.pulse import Pulse
from monitor.selfwatch.watchdog import EXIT_CODE, Watchdog


class Process:
    """A process of which the loop and the timer stand or go as the test says."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.pulse = Pulse(lambda: self.seconds, is_ready=True)
        self.ends: list[str] = []
        self.watchdog = Watchdog(pulse=self.pulse, clock=lambda: self.seconds, end=self.ends.append)
        self.pulse.beat()

    def go(self, seconds: float, *, loop: bool = True, ticks: bool = True) -> str | None:
        """Time passes; what the watchdog finds last."""
        found = None
        for _ in range(int(seconds / 5)):
            self.seconds += 5
            if loop:
                self.watchdog.note_loop()
            if ticks:
                self.pulse.beat()
            found = self.watchdog.look()
        return found


def test_a_process_that_makes_progress_is_left_alone() -> None:
    assert Process().go(10_000) is None


def test_a_loop_that_stands_still_ends_the_process_after_the_limit() -> None:
    process = Process()
    assert process.go(60, loop=False, ticks=False) is None
    assert "event loop" in (process.go(5, loop=False, ticks=False) or "")


def test_a_scheduler_that_died_ends_the_process_though_the_loop_goes_on() -> None:
    process = Process()
    assert process.go(180, ticks=False) is None
    assert "scheduler" in (process.go(5, ticks=False) or "")


def test_no_tick_is_waited_for_before_the_daemon_is_ready_and_while_it_stops() -> None:
    process = Process()
    process.pulse.is_ready = False
    assert process.go(600, ticks=False) is None


@pytest.mark.parametrize("stopped_seconds", [40.0, 600.0, 86_400.0])
def test_a_process_that_was_stopped_is_given_a_whole_period_anew(stopped_seconds: float) -> None:
    process = Process()
    process.seconds += stopped_seconds
    assert process.watchdog.look() is None
    assert process.go(60, loop=False, ticks=False) is None
    assert process.go(5, loop=False, ticks=False) is not None


def test_a_suspend_takes_no_time_of_the_monotonic_clock_and_ends_nothing() -> None:
    process = Process()
    assert process.go(50, loop=False, ticks=False) is None
    assert process.go(5) is None


async def test_the_thread_ends_with_its_task() -> None:
    ends: list[str] = []
    pulse = Pulse(asyncio.get_running_loop().time)
    watchdog = Watchdog(pulse=pulse, limit_seconds=0.6, end=ends.append)
    task = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0.2)
    was_watching = watchdog.is_watching
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.to_thread(watchdog.join)
    assert (was_watching, watchdog.is_watching, ends) == (True, False, [])


def test_the_exit_code_is_that_of_a_fault_of_the_monitor() -> None:
    assert EXIT_CODE == ExitCode.INTERNAL
