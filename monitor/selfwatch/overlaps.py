"""Slots that were skipped because a check still ran: counted, and how many in a row. Knows no schedule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(slots=True)
class Overlaps:
    """By suite, since the start of the process."""

    _skipped: Counter[str] = field(default_factory=Counter)
    _in_a_row: dict[str, int] = field(default_factory=dict)

    def skip(self, suite: str) -> bool:
        """Count a slot that was skipped; whether it is the first of a row."""
        self._skipped[suite] += 1
        self._in_a_row[suite] = self._in_a_row.get(suite, 0) + 1
        return self._in_a_row[suite] == 1

    def begin(self, suite: str) -> None:
        """A slot came while nothing ran."""
        self._in_a_row[suite] = 0

    def in_a_row(self, suite: str) -> int | None:
        """How many slots were skipped since the last one that was not; None: there was no slot yet."""
        return self._in_a_row.get(suite)

    def totals(self, suites: Collection[str]) -> dict[str, int]:
        """All that were skipped of these suites, 0 where none was."""
        return {suite: self._skipped[suite] for suite in sorted(suites)}
