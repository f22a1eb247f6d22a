"""Maintenance windows as they are planned: once, or again and again by local time. When each holds.

Pure: the time is an argument. Knows neither silences nor the configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from monitor.machine import Window
from monitor.schedule import Cron, latest_slot, next_slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """From `starts_at` on and before `ends_at`, both aware."""

    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """At every local time of `cron`, for `lasting` as clocks tick: an hour that is skipped or comes twice is an hour.

    On a day on which clocks are set, it begins as a check of the same schedule would: once for each nominal time, at
    the end of the gap if that time is skipped, not at all on a date that is.
    """

    cron: Cron
    lasting: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """Time set aside for work on what the `scopes` are about: globs as of silences. Nobody is told meanwhile."""

    name: str
    scopes: tuple[str, ...]
    when: Once | Again

    def concerns(self, scope: str) -> bool:
        """Whether one of the globs matches the whole of the scope."""
        return any(fnmatchcase(scope, glob) for glob in self.scopes)

    def holding(self, now: datetime) -> Window | None:
        """The window that holds now; None: none does."""
        if isinstance(self.when, Once):
            window = self._window(self.when.starts_at, self.when.ends_at)
        else:
            starts_at = latest_slot(self.when.cron, now)
            window = self._window(starts_at, starts_at + self.when.lasting)
        return window if window.starts_at <= now < window.ends_at else None

    def upcoming(self, now: datetime, count: int) -> list[Window]:
        """The next windows that begin later than now, at most `count` of them."""
        if isinstance(self.when, Once):
            return [self._window(self.when.starts_at, self.when.ends_at)] if now < self.when.starts_at else []
        windows: list[Window] = []
        for _ in range(count):
            starts_at = next_slot(self.when.cron, windows[-1].starts_at if windows else now)
            windows.append(self._window(starts_at, starts_at + self.when.lasting))
        return windows

    def _window(self, starts_at: datetime, ends_at: datetime) -> Window:
        return Window(name=f"maintenance {self.name}", starts_at=starts_at, ends_at=ends_at)


def planned_window(planned: Sequence[Maintenance], scope: str, now: datetime) -> Window | None:
    """The window that holds now for a scope, of several the one that ends last; None: none does."""
    held = [window for one in planned if one.concerns(scope) if (window := one.holding(now))]
    return max(held, key=lambda window: window.ends_at, default=None)
