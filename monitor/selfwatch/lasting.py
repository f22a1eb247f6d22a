"""How long something has been so, and how much something grew of late, on a clock that is given. Knows nothing else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field


@dataclass(slots=True)
class Lasting:
    """Since when things have been so, by name, as far as they were looked at."""

    clock: Callable[[], float]
    _since: dict[str, float] = field(default_factory=dict)

    def seconds(self, name: str, *, is_so: bool) -> float:
        """Note how it is now; the time for which it has been so, 0 where it is not."""
        if not is_so:
            self._since.pop(name, None)
            return 0.0
        return self.clock() - self._since.setdefault(name, self.clock())

    def keep(self, names: Collection[str]) -> None:
        """Forget all but these."""
        self._since = {name: since for name, since in self._since.items() if name in names}


@dataclass(slots=True)
class Growth:
    """What a counter grew by within the last `window_seconds`. The first look counts as nothing."""

    clock: Callable[[], float]
    window_seconds: float
    _looks: deque[tuple[float, float]] = field(default_factory=deque)

    def note(self, total: float) -> float:
        """The counter now; what it grew by. One that begins anew begins the window anew."""
        now = self.clock()
        if self._looks and total < self._looks[-1][1]:
            self._looks.clear()
        if not self._looks or total != self._looks[-1][1]:
            self._looks.append((now, total))
        while len(self._looks) > 1 and now - self._looks[1][0] > self.window_seconds:
            self._looks.popleft()
        # The oldest look is what it was before the window, if the next one is within it.
        return total - self._looks[0][1] if now - self._looks[-1][0] <= self.window_seconds else 0.0
