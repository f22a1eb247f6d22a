"""Ends the process when it makes no progress any more, so that whoever started it starts it again.

A thread, since neither the event loop nor the scheduler can tell that it stands still. It goes by time.monotonic, which
stands still in suspend, as do the loop and the timer. A process that was stopped (SIGSTOP, a paused machine) finds its
watchdog's thread late as well: then everybody is given a whole period anew. A thread that never gets to run, because
something holds the interpreter itself, is the service manager's to find.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from monitor.pulse import Pulse

log = logging.getLogger(__name__)

LIMIT_SECONDS = 60.0
TICK_LIMITS = 3
"""A tick may wait for a database that hangs, so it is given more limits than one."""
LOOKS = 12
LAST_WORDS_SECONDS = 5.0
EXIT_CODE = 5
"""A fault of the monitor itself."""


def end_process(reason: str) -> None:
    """Log the reason and every stack, and leave, whatever is locked: at most LAST_WORDS_SECONDS later."""

    def speak() -> None:
        log.critical("watchdog_ends_process exit_code=%d reason=%s", EXIT_CODE, reason)
        faulthandler.dump_traceback(sys.__stderr__ or 2, all_threads=True)

    words = threading.Thread(target=speak, name="watchdog-last-words", daemon=True)
    words.start()
    words.join(LAST_WORDS_SECONDS)
    os._exit(EXIT_CODE)


@dataclass(slots=True, kw_only=True)
class Watchdog:
    """`pulse` beats with the scheduler's ticks; the loop's own progress is noted here. `clock` is monotonic; `end` must
    not return. To be run on the loop that is watched, from when it is ready.
    """

    pulse: Pulse
    limit_seconds: float = LIMIT_SECONDS
    clock: Callable[[], float] = time.monotonic
    end: Callable[[str], None] = end_process
    _loop_at: float = field(init=False)
    _looked_at: float = field(init=False)
    _spared_at: float = field(init=False)
    _thread: threading.Thread | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._loop_at = self._looked_at = self._spared_at = self.clock()

    @property
    def look_seconds(self) -> float:
        """The pause between two looks."""
        return self.limit_seconds / LOOKS

    async def run(self) -> None:
        """Watch until cancelled."""
        self._loop_at = self._looked_at = self._spared_at = self.clock()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()
        try:
            while True:
                self.note_loop()
                await asyncio.sleep(self.look_seconds)
        finally:
            self._stop.set()

    def note_loop(self) -> None:
        """The loop makes progress."""
        self._loop_at = self.clock()

    @property
    def is_watching(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def join(self) -> None:
        """Wait for the thread to end."""
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self.look_seconds):
            if (reason := self.look()) is not None:
                self.end(reason)
                return

    def look(self) -> str | None:
        """Why the process must end; None: it makes progress, or is given time."""
        now = self.clock()
        if now - self._looked_at > self.limit_seconds / 2:
            self._spared_at = now
        self._looked_at = now
        loop_seconds = now - max(self._loop_at, self._spared_at)
        if loop_seconds > self.limit_seconds:
            return f"the event loop has made no progress for {loop_seconds:.0f} s"
        beat_at = self.pulse.beat_at
        if beat_at is None or not self.pulse.is_ready:
            return None
        tick_seconds = now - max(beat_at, self._spared_at)
        if tick_seconds > TICK_LIMITS * self.limit_seconds:
            return f"the scheduler has not ticked for {tick_seconds:.0f} s, and the event loop goes on"
        return None
