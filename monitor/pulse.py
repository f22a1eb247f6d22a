"""When the daemon last did something, and whether it does its work: what watchdogs and probes ask. Knows no daemon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

STALLED_SECONDS = 60.0


@dataclass(slots=True)
class Pulse:
    """When the daemon last did something, on the monotonic clock; read by other threads. `hindrance` says what it
    cannot do without, and why that is away just now (None: nothing).
    """

    clock: Callable[[], float]
    beat_at: float | None = None
    is_ready: bool = False
    reason: str = "starting"
    hindrance: Callable[[], str | None] = lambda: None

    def beat(self) -> None:
        """Note progress."""
        self.beat_at = self.clock()

    @property
    def age_seconds(self) -> float:
        """Time since the last progress; 0 until the daemon has begun."""
        return 0.0 if self.beat_at is None else self.clock() - self.beat_at

    @property
    def is_beating(self) -> bool:
        """Whether there was progress of late; True until the daemon has begun."""
        return self.age_seconds < STALLED_SECONDS
