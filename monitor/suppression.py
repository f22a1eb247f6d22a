"""Silences, and which of them concern a scope. Suppression keeps people from being told, never incidents from being."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from monitor.machine import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Somebody asked for quiet about the scopes that `scope_pattern` matches, from `starts_at` on and before `ends_at`.

    The pattern is a glob as of a shell, upper and lower case apart: `shop/overall`, `shop/refund-*`, `shop/*`, `*`.
    `expired_at`: when it was taken back; None: it was not.
    """

    id: str
    scope_pattern: str
    created_by: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    expired_at: datetime | None = None

    @property
    def window(self) -> Window:
        """When it holds; empty if it was taken back before it began."""
        ends_at = self.ends_at if self.expired_at is None else min(self.ends_at, self.expired_at)
        return Window(name=f"silence {self.id}", starts_at=self.starts_at, ends_at=ends_at)

    def concerns(self, scope: str) -> bool:
        """Whether the pattern matches the whole of the scope."""
        return fnmatchcase(scope, self.scope_pattern)


def windows_of(scope: str, silences: Iterable[Silence]) -> tuple[Window, ...]:
    """The windows of the silences that concern a scope, for its policy."""
    return tuple(silence.window for silence in silences if silence.concerns(scope))
