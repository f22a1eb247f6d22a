"""What the checks of suites show of the monitor: whether valid ones come, what they say, whether they overlap.

Keeps a chronicle of each suite. Knows no database: what is stored is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.check import CheckRecord
from monitor.rules import monitor, nodata
from monitor.rules.nodata import Patience
from monitor.selfwatch.chronicle import Chronicle
from monitor.selfwatch.overlaps import Overlaps
from monitor.transcript import Outcome
from monitor.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Of one suite: its newest checks that ended and the newest valid one, newest first, and why it is paused (None: it
    is not).
    """

    checks: Sequence[CheckRecord]
    paused: str | None


@dataclass(slots=True, kw_only=True)
class SuitesWatch:
    """`clock` is monotonic, `now` the wall clock; `host` names this machine where other daemons share the database."""

    overlaps: Overlaps
    clock: Callable[[], float]
    now: Callable[[], datetime]
    host: str | None
    _chronicles: dict[str, Chronicle] = field(default_factory=dict)

    def note(self, check: CheckRecord) -> None:
        """A check of this daemon ended and is stored."""
        if check.suite in self._chronicles:
            self._chronicles[check.suite].hear([check])

    def spare(self, suites: Mapping[str, Patience | None]) -> None:
        """The process stood still: no suite runs out of patience before a check can end."""
        for suite, chronicle in self._chronicles.items():
            if (patience := suites.get(suite)) is not None:
                chronicle.spare(patience)

    def look(self, suites: Mapping[str, Patience | None], stored: Mapping[str, Stored]) -> Iterator[Verdict]:
        """All suites, by what is stored and by what was noted."""
        self._chronicles = {suite: kept for suite, kept in self._chronicles.items() if suite in suites}
        for suite, patience in suites.items():
            chronicle = self._chronicle(suite, stored[suite], patience)
            yield monitor.of_ends(suite, [*chronicle.statuses], stored[suite].paused)
            if patience is not None:
                yield monitor.of_overlaps(suite, self.overlaps.in_a_row(suite), host=self.host)
                yield self._nodata(suite, chronicle, patience, stored[suite].paused)
        yield monitor.of_judge({suite: _judged(kept.newest) for suite, kept in self._chronicles.items()})

    def _chronicle(self, suite: str, stored: Stored, patience: Patience | None) -> Chronicle:
        chronicle = self._chronicles.get(suite)
        if chronicle is None:
            chronicle = self._chronicles[suite] = Chronicle(self.clock)
            chronicle.seed(stored.checks, self.now(), patience)
        chronicle.hear(reversed(stored.checks))
        if stored.paused is not None:
            chronicle.begin_anew()
        return chronicle

    def _nodata(self, suite: str, chronicle: Chronicle, patience: Patience, paused: str | None) -> Verdict:
        if paused is not None:
            return nodata.recovered(suite, f"paused: {paused}")
        verdict = nodata.judge(suite, chronicle.without_seconds, patience, chronicle.valid_at)
        is_over = chronicle.without_seconds > patience.limit_seconds
        # A check may have closed between two of our steps, and its own word came before ours.
        return nodata.recovered(suite) if chronicle.heard_valid and not is_over else verdict


def _judged(newest: CheckRecord | None) -> tuple[int, int]:
    """Conversations that the judge left without a score, of those that it may have been asked about."""
    if newest is None or newest.summary is None:
        return 0, 0
    return newest.summary.outcomes.get(Outcome.JUDGE_ERROR, 0), newest.summary.planned
