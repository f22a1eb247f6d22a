"""How a suite's checks ended, in the order in which they were heard of, and for how long none of them was valid.

Both go by a monotonic clock: a wall clock that is wrong neither hides a new check nor makes an old one look new.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.check import CheckRecord, CheckStatus
from monitor.rules.nodata import Patience

VALID = (CheckStatus.HEALTHY, CheckStatus.DEGRADED)
ENDED = (*VALID, CheckStatus.INCONCLUSIVE)
REMEMBERED = 200


@dataclass(slots=True)
class Chronicle:
    """Of one suite. `heard_valid`: a valid check ended since it is kept. `newest` None: no check ended yet."""

    clock: Callable[[], float]
    heard_valid: bool = False
    valid_at: datetime | None = None
    newest: CheckRecord | None = None
    statuses: deque[CheckStatus] = field(default_factory=lambda: deque(maxlen=3))
    _valid_since: float = 0.0
    _seen: dict[str, None] = field(default_factory=dict)

    def seed(self, ended: Sequence[CheckRecord], now: datetime, patience: Patience | None) -> None:
        """Begin with what is stored, newest first. What the wall clock says of its age is believed within bounds: never
        below 0, and never so much that no check can end before the patience is over.
        """
        self._valid_since = self.clock()
        self._take(reversed(ended))
        if self.valid_at is not None and patience is not None:
            age = (now - self.valid_at).total_seconds()
            self._valid_since -= min(max(0.0, age), patience.longest_seed_seconds)

    def hear(self, ended: Iterable[CheckRecord]) -> None:
        """Note checks that ended, oldest first; those that are known are left alone."""
        if any(check.status in VALID for check in self._take(ended)):
            self._valid_since, self.heard_valid = self.clock(), True

    def begin_anew(self) -> None:
        """Nobody was to watch until now."""
        self._valid_since = self.clock()

    def spare(self, patience: Patience) -> None:
        """The process stood still: leave at least the time of one check."""
        self._valid_since = max(self._valid_since, self.clock() - patience.longest_seed_seconds)

    @property
    def without_seconds(self) -> float:
        """The time without a valid check."""
        return self.clock() - self._valid_since

    def _take(self, ended: Iterable[CheckRecord]) -> list[CheckRecord]:
        heard = [check for check in ended if check.status in ENDED]
        new = [check for check in heard if check.id not in self._seen]
        for check in heard:  # those that are heard of again stay known, however many come between
            self._seen.pop(check.id, None)
            self._seen[check.id] = None
        for forgotten in [*self._seen][:-REMEMBERED]:
            del self._seen[forgotten]
        for check in new:
            self.statuses.append(check.status)
            self.newest = check
            if check.status in VALID:
                self.valid_at = check.finished_at
        return new
