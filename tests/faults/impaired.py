"""`assistant-monitor run` with short limits, a wall clock that a file shifts, and parts that stop on a signal.

    python -m tests.faults.impaired run --config FILE --watchdog SECONDS --look SECONDS [--clock FILE]

SIGUSR1 blocks the event loop for ever, SIGUSR2 kills the scheduler: a job store that fails ends APScheduler's wakeups
for good, while it goes on to say that it runs.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apscheduler.jobstores.memory import MemoryJobStore

from monitor.bootstrap import parts
from monitor.notify import classify

log = logging.getLogger(__name__)


def _shift_clock(file: Path) -> None:
    """From now on the wall clock is off by the seconds in the file. To be called before the clock is handed around."""

    def shifted() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(file.read_text() or 0))

    parts.utc_now = shifted
    classify.utc_now = shifted


def _kill_scheduler() -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the job store is broken")

    MemoryJobStore.update_job = fail


def _block_loop() -> None:
    log.warning("loop_blocked")
    time.sleep(3600)


async def _run(arguments: argparse.Namespace) -> int:
    from monitor.bootstrap.application import open_application
    from monitor.cli.context import log_as_configured, read_config
    from monitor.sdnotify import ServiceManager

    config = read_config(arguments.config)
    log_as_configured(config)
    loop, manager = asyncio.get_running_loop(), ServiceManager(os.environ)
    loop.add_signal_handler(signal.SIGUSR1, _block_loop)
    loop.add_signal_handler(signal.SIGUSR2, _kill_scheduler)
    async with open_application(config, manager) as application:
        application.selfwatch.every_seconds = arguments.look
        await application.daemon(manager, watchdog_seconds=arguments.watchdog).run()
    return 0


def main() -> int:
    """Run until it ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--watchdog", type=float, default=60.0)
    parser.add_argument("--look", type=float, default=15.0)
    parser.add_argument("--clock", type=Path)
    arguments = parser.parse_args()
    if arguments.clock:
        _shift_clock(arguments.clock)
    return asyncio.run(_run(arguments))


if __name__ == "__main__":
    sys.exit(main())
