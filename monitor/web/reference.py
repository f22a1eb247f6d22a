"""What the baseline says of a suite and its intents: means before, since when they hold, and what has fallen since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.check import IntentSummary
from monitor.rules import regression
from monitor.rules.memory import IntentMemory, Memory
from monitor.rules.policy import BaselinePolicy

NOISE = 0.05
"""Falls of an intent's mean are ordered in steps of this size: less says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The mean that a check's intents had when the baseline was taken, and the time after which it holds.

    `fallen_since`: when the mean began to fall, where the rules have found that it did.
    """

    mean: float
    holds_after: datetime
    fallen_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentRow:
    """One intent as a page lists it, with its means so far, oldest first. `baseline` None: none holds.

    `since`: its own rule has found that it fails since then.
    """

    summary: IntentSummary
    baseline: float | None
    since: datetime | None
    spark: str = ""

    @property
    def drop(self) -> float | None:
        """How far the mean lies under its baseline; below 0: above."""
        mean = self.summary.mean
        return None if mean is None or self.baseline is None else self.baseline - mean


def reference(memory: Memory | None, intents: Iterable[IntentSummary], policy: BaselinePolicy) -> Reference | None:
    """The weighted mean of these intents in the baseline; None before it is armed for half of their weight.

    As the rule `regression` sees it, with the baseline as it is now: until it is full it still moves a little.
    """
    if memory is None or len(memory.spread) < policy.armed:
        return None
    played = [intent for intent in intents if intent.mean is not None]
    known = [(intent.weight, mean) for intent in played if (mean := _mean(memory, intent, policy)) is not None]
    weight = sum(weight for weight, _ in known)
    if not weight or weight < sum(intent.weight for intent in played) / 2:
        return None
    has_fallen = regression.NAME in memory.breached
    return Reference(
        mean=sum(weight * mean for weight, mean in known) / weight,
        holds_after=memory.spread[policy.armed - 1].at,
        fallen_since=memory.fall.since if has_fallen else None,
    )


def intent_rows(intents: Sequence[IntentSummary], memory: Memory | None, policy: BaselinePolicy) -> list[IntentRow]:
    """Worst first: those whose own rule is in breach, then by the fall against the baseline, then by the mean; those
    that were not measured last.
    """
    rows = [
        IntentRow(
            summary=intent,
            baseline=_mean(memory, intent, policy) if memory else None,
            since=known.since if (known := _memory_of(memory, intent)) and known.is_breached else None,
        )
        for intent in intents
    ]
    return sorted(rows, key=_badness)


def _badness(row: IntentRow) -> tuple[bool, bool, int, float, str]:
    mean = row.summary.mean
    fall = max(0, round((row.drop or 0.0) / NOISE))
    return row.since is None, mean is None, -fall, mean or 0.0, row.summary.intent_id


def _memory_of(memory: Memory | None, intent: IntentSummary) -> IntentMemory | None:
    known: Mapping[str, IntentMemory] = memory.intents if memory else {}
    return known.get(intent.fingerprint)


def _mean(memory: Memory, intent: IntentSummary, policy: BaselinePolicy) -> float | None:
    known = _memory_of(memory, intent)
    if known is None or known.checks < policy.armed or not known.sums.count:
        return None
    return known.sums.mean
