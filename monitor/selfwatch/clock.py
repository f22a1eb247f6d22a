"""Whether the wall clock goes evenly, held against one that nobody sets and that goes on in suspend, and whether it
agrees with another one. Sets no clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

JUMP_SECONDS = 60.0


def boot_clock() -> float:
    """Seconds since the machine was started, those in suspend included (Linux; elsewhere suspend may be left out)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(slots=True)
class ClockWatch:
    """The newest jump of more than a minute between two looks, and the time that has gone by evenly since."""

    now: Callable[[], datetime]
    clock: Callable[[], float] = boot_clock
    jump_seconds: float | None = None
    _offset: float | None = None
    _even_since: float = 0.0

    def look(self) -> float:
        """The seconds since the newest jump, or since the first look."""
        at = self.clock()
        offset = self.now().timestamp() - at
        if self._offset is None:
            self._even_since = at
        elif abs(offset - self._offset) > JUMP_SECONDS:
            self.jump_seconds, self._even_since = offset - self._offset, at
        self._offset = offset
        return at - self._even_since


def skew_seconds(now: Callable[[], datetime], theirs: Callable[[], datetime | None]) -> float | None:
    """How far our clock is surely ahead of theirs, below 0: behind; 0 as far as the time that asking took may explain
    it. None: there is no other clock. Raises what asking raises.
    """
    before = now()
    told = theirs()
    after = now()
    if told is None:
        return None
    return max(0.0, (before - told).total_seconds()) + min(0.0, (after - told).total_seconds())
