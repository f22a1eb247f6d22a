"""Known-good and known-bad conversations scored once, and whether that says that the monitor itself is sick.

Values and pure rules. Knows nothing of transcripts, scorers and the database.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import fmean

from monitor.agreement import auc

LEAST_AUC = 0.95
LARGEST_SHIFT = 0.03
FLIPS, OF_CANARIES = 3, 60
"""So many changes of passed among so many canaries are too many; the same share of conversations without a score is."""
NAMED_IDS = 12
MISSED_RUNS = 2
ROUNDING = 1e-9


class AlarmRule(StrEnum):
    """Why canaries raise the alarm."""

    NOT_SCORED = "not_scored"
    AUC = "auc"
    SHIFT = "shift"
    FLIPS = "flips"


class CanaryState(StrEnum):
    """What is known of the monitor's own health. UNKNOWN: not measured under this epoch, or too long ago."""

    HEALTHY = "healthy"
    SICK = "sick"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryScore:
    """What one canary is worth now. `value` None: it could not be scored, and `reason` says why."""

    id: str
    kind: str
    is_good: bool
    value: float | None
    passed: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryAlarm:
    """One reason for the alarm, with the canaries that are behind it."""

    rule: AlarmRule
    reason: str
    ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.ids:
            return self.reason
        more = f" and {len(self.ids) - NAMED_IDS} more" if len(self.ids) > NAMED_IDS else ""
        return f"{self.reason}: {', '.join(self.ids[:NAMED_IDS])}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRun:
    """All canaries that a configuration can judge, scored once.

    `fingerprint` is that of these canaries. `auc`, `mean_good` and `mean_bad` are None where there is nothing to make
    them of; `flips` counts the canaries that pass and did not in the baseline, or the other way round (None: there is
    no baseline). `not_scored` are those that a judge or a model gave no answer on.
    """

    id: str
    at: datetime
    epoch: str
    fingerprint: str
    scored: int
    not_scored: int
    auc: float | None
    mean_good: float | None
    mean_bad: float | None
    flips: int | None
    is_sick: bool
    alarms: tuple[CanaryAlarm, ...]
    results: tuple[CanaryScore, ...]

    @property
    def reason(self) -> str:
        """Every reason for the alarm; empty without one."""
        return "; ".join(map(str, self.alarms))


def measured(
    results: Sequence[CanaryScore],
    *,
    run_id: str,
    at: datetime,
    epoch: str,
    fingerprint: str,
    baseline: CanaryRun | None,
) -> CanaryRun:
    """The run that `results` make, held against `baseline`: the first run without an alarm under the same epoch with
    the same canaries.

    The AUC is that of Mann and Whitney (1947), ties counting one half: the chance that a good canary has a higher score
    than a bad one.
    """
    known = [(result, result.value) for result in results if result.value is not None]
    run = CanaryRun(
        id=run_id,
        at=at,
        epoch=epoch,
        fingerprint=fingerprint,
        scored=len(known),
        not_scored=len(results) - len(known),
        auc=auc([value for _, value in known], [result.is_good for result, _ in known]).value,
        mean_good=_mean([value for result, value in known if result.is_good]),
        mean_bad=_mean([value for result, value in known if not result.is_good]),
        flips=len(flipped(results, baseline.results)) if baseline else None,
        is_sick=False,
        alarms=(),
        results=tuple(results),
    )
    alarms = tuple(alarms_of(run, baseline))
    return replace(run, alarms=alarms, is_sick=bool(alarms))


def alarms_of(run: CanaryRun, baseline: CanaryRun | None) -> Iterator[CanaryAlarm]:
    """The reasons to call the monitor sick: too many without a score, an AUC below 0.95, a mean of the good or the bad
    ones that moved by more than 0.03 from the baseline, or three of sixty that flipped.
    """
    count = len(run.results)
    if _is_too_many(run.not_scored, count):
        missing = tuple(result.id for result in run.results if result.value is None)
        reasons = sorted({result.reason for result in run.results if result.value is None})
        text = f"{run.not_scored} of {count} have no score ({reasons[0]})"
        yield CanaryAlarm(rule=AlarmRule.NOT_SCORED, reason=text, ids=missing)
    if run.auc is not None and run.auc < LEAST_AUC - ROUNDING:
        text = f"the AUC is {run.auc:.3f}, and {LEAST_AUC} is the least"
        yield CanaryAlarm(rule=AlarmRule.AUC, reason=text, ids=wrong_ids(run.results))
    if baseline is None:
        return
    yield from _shifts(run, baseline)
    changed, compared = flipped(run.results, baseline.results), len(_pairs(run.results, baseline.results))
    if _is_too_many(len(changed), compared):
        yield CanaryAlarm(rule=AlarmRule.FLIPS, reason=f"{len(changed)} of {compared} flipped", ids=changed)


def flipped(now: Sequence[CanaryScore], before: Sequence[CanaryScore]) -> tuple[str, ...]:
    """The ids of those that pass and did not, or the other way round; only where both are known."""
    return tuple(new.id for new, old in _pairs(now, before) if new.passed is not old.passed)


def wrong_ids(results: Sequence[CanaryScore]) -> tuple[str, ...]:
    """The ids of good ones that do not pass and of bad ones that do."""
    return tuple(r.id for r in results if r.value is not None and r.passed is not r.is_good)


def state_of(newest: CanaryRun | None, epoch: str, now: datetime, *, every_seconds: float) -> CanaryState:
    """What the newest run says about scores of `epoch`: nothing when it is of another, measured nothing, or is older
    than two intervals.
    """
    if newest is None or newest.epoch != epoch or now - newest.at > timedelta(seconds=MISSED_RUNS * every_seconds):
        return CanaryState.UNKNOWN
    if newest.is_sick:
        return CanaryState.SICK
    return CanaryState.UNKNOWN if newest.auc is None else CanaryState.HEALTHY


def _shifts(run: CanaryRun, baseline: CanaryRun) -> Iterator[CanaryAlarm]:
    """Means over those that both runs scored, so that one without an answer moves nothing."""
    for is_good, name in ((True, "good"), (False, "bad")):
        pairs = [
            (new, new.value - old.value)
            for new, old in _pairs(run.results, baseline.results)
            if new.is_good is is_good and new.value is not None and old.value is not None
        ]
        shift = _mean([change for _, change in pairs])
        if shift is not None and abs(shift) > LARGEST_SHIFT + ROUNDING:
            moved = sorted(pairs, key=lambda pair: -abs(pair[1]))
            ids = tuple(result.id for result, change in moved if abs(change) > LARGEST_SHIFT)
            text = f"the mean of the {name} ones moved by {shift:+.3f}"
            yield CanaryAlarm(rule=AlarmRule.SHIFT, reason=text, ids=ids)


def _pairs(now: Sequence[CanaryScore], before: Sequence[CanaryScore]) -> list[tuple[CanaryScore, CanaryScore]]:
    """Of each canary that has a score in both runs, the two."""
    known = {result.id: result for result in before if result.value is not None}
    return [(result, known[result.id]) for result in now if result.value is not None and result.id in known]


def _is_too_many(count: int, of: int) -> bool:
    return count > 0 and count * OF_CANARIES >= FLIPS * of


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
