"""How often something may be done: a token bucket without a timer. Knows nothing of what is done."""

from __future__ import annotations

from collections.abc import Callable
from math import inf


class Pace:
    """Admits `per_second` on average, and up to one second's worth (at least one) at once after a quiet time."""

    def __init__(self, per_second: float, clock: Callable[[], float]) -> None:
        self._interval_seconds = 1.0 / per_second
        self._burst_seconds = self._interval_seconds * (max(1.0, per_second) - 1.0)
        self._clock = clock
        self._due = clock()

    def reserve(self, *, within_seconds: float = inf) -> float | None:
        """Take the next place; returns the seconds to wait for it, 0 when it is now.

        None, and no place is taken, when it would come later than that. A place taken cannot be given back.
        """
        now = self._clock()
        start = max(self._due, now - self._burst_seconds)
        wait_seconds = max(0.0, start - now)
        if wait_seconds > within_seconds:
            return None
        self._due = start + self._interval_seconds
        return wait_seconds
