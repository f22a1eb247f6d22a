"""A check beside the one before it: what changed, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.check import CheckSummary, IntentSummary
from monitor.store import CheckPoint
from monitor.web.trend import Z95

SHOWN_CHANGES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentChange:
    """One intent that both checks played unchanged."""

    intent_id: str
    before: float
    now: float

    @property
    def difference(self) -> float:
        """Below 0: worse than before."""
        return self.now - self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What moved since `before`. `low` and `high` bound the difference of the averages (95 %; None: not known).

    `comparable` False: the two are of different epochs, and nothing else is told. `added` and `gone` are intents that
    only one of them played, `edited` those that were changed in between.
    """

    before: CheckPoint
    is_comparable: bool
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    intents: tuple[IntentChange, ...] = ()
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()

    @property
    def is_sure(self) -> bool:
        """Whether chance alone would hardly move the average so far."""
        return self.low is not None and self.high is not None and (self.low > 0.0 or self.high < 0.0)


def change(epoch: str, summary: CheckSummary, before: CheckPoint, intents_before: Sequence[IntentSummary]) -> Change:
    """What moved; of the intents those that moved most, the worse ones first."""
    if epoch != before.epoch:
        return Change(before=before, is_comparable=False)
    now = {intent.intent_id: intent for intent in summary.intents}
    old = {intent.intent_id: intent for intent in intents_before}
    difference, low, high = _difference(summary, before)
    both = sorted(now.keys() & old.keys())
    edited = [name for name in both if now[name].fingerprint != old[name].fingerprint]
    return Change(
        before=before,
        is_comparable=True,
        difference=difference,
        low=low,
        high=high,
        intents=_moved({name: now[name].mean for name in both if name not in edited}, old),
        added=tuple(sorted(now.keys() - old.keys())),
        gone=tuple(sorted(old.keys() - now.keys())),
        edited=tuple(edited),
    )


def _moved(now: Mapping[str, float | None], old: Mapping[str, IntentSummary]) -> tuple[IntentChange, ...]:
    found = [
        IntentChange(intent_id=name, before=before, now=mean)
        for name, mean in now.items()
        if mean is not None and (before := old[name].mean) is not None and round(mean, 3) != round(before, 3)
    ]
    most = sorted(found, key=lambda one: (-abs(one.difference), one.intent_id))[:SHOWN_CHANGES]
    return tuple(sorted(most, key=lambda one: (one.difference, one.intent_id)))


def _difference(summary: CheckSummary, before: CheckPoint) -> tuple[float | None, float | None, float | None]:
    if summary.mean is None or before.mean is None:
        return None, None, None
    difference = summary.mean - before.mean
    if summary.standard_error is None or before.standard_error is None:
        return difference, None, None
    margin = Z95 * math.hypot(summary.standard_error, before.standard_error)
    return difference, difference - margin, difference + margin
