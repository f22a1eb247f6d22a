"""The rule `intent`: one intent passes half as often as when its baseline was taken, or not at all (Bernoulli CUSUMs).

Half as often is what to look for in an intent that mostly passes. One that passed a third of the time and now never
does is told sooner by the second CUSUM, and by conversations of its own for as long as none passes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from monitor.rules.evidence import IntentEvidence
from monitor.rules.memory import IntentMemory
from monitor.rules.policy import IntentPolicy, RulesPolicy
from monitor.stats import BernoulliSteps, bernoulli_cusum, shrunk_share

NAME = "intent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How often an intent passes: when it is well (`p0`), half as often (`p1`), and when it is all but `gone`; with the
    limit of both CUSUMs.
    """

    p0: float
    p1: float
    gone: float
    limit: float

    @property
    def middle(self) -> float:
        """The pass rate that recovery needs."""
        return (self.p0 + self.p1) / 2


@dataclass(frozen=True, slots=True)
class Levels:
    """Both CUSUMs."""

    halved: float
    gone: float

    @property
    def highest(self) -> float:
        """The one that tells more."""
        return max(self.halved, self.gone)


def expected(memory: IntentMemory | None, rules: RulesPolicy) -> Expected | None:
    """None while the baseline is too short, or where the intent passed too seldom to be watched.

    The limit is wider as long as the baseline is not full, and where rounds are fixed, so that no further conversations
    can be had before somebody is told.
    """
    policy, baseline = rules.intent, rules.baseline
    if policy is None or memory is None or not _is_armed(memory, rules) or passes_too_seldom(memory, rules):
        return None
    share = min(policy.highest_share, shrunk_share(memory.passes, memory.trials))
    is_sure = memory.checks >= baseline.full and not rules.rounds.is_fixed
    limit = policy.limit * (1.0 if is_sure else baseline.caution)
    return Expected(p0=share, p1=share / 2, gone=min(policy.gone_share, share / 4), limit=limit)


def passes_too_seldom(memory: IntentMemory, rules: RulesPolicy) -> bool:
    """Whether the baseline says that nothing can be told by this rule."""
    policy = rules.intent
    if policy is None or not _is_armed(memory, rules):
        return False
    return shrunk_share(memory.passes, memory.trials) < policy.least_share


def _is_armed(memory: IntentMemory, rules: RulesPolicy) -> bool:
    return memory.checks >= rules.baseline.armed and memory.trials > 0


def levels(evidence: IntentEvidence, memory: IntentMemory, expects: Expected) -> Levels:
    """The CUSUMs with all conversations of this check."""
    outcomes = evidence.outcomes
    return Levels(
        halved=bernoulli_cusum(memory.halved, outcomes, BernoulliSteps.between(expects.p0, expects.p1)),
        gone=bernoulli_cusum(memory.gone, outcomes, BernoulliSteps.between(expects.p0, expects.gone)),
    )


def is_suspicious(evidence: IntentEvidence, memory: IntentMemory, expects: Expected, policy: IntentPolicy) -> bool:
    """Whether more conversations of this intent alone are worth having: a CUSUM is high, or none passed so far."""
    outcomes = evidence.outcomes
    return bool(outcomes) and (levels(evidence, memory, expects).highest > policy.suspicious or not any(outcomes))


def has_recovered(evidence: IntentEvidence, memory: IntentMemory, expects: Expected, policy: IntentPolicy) -> bool:
    """Whether the pass rate of this check and the ones before it that recovery looks at is back."""
    passes, trials = _counts(evidence)
    if policy.recovery_checks > 1:
        if not memory.last[1]:
            return False
        passes, trials = passes + memory.last[0], trials + memory.last[1]
    return trials > 0 and passes / trials > expects.middle


def remembered(
    evidence: IntentEvidence, memory: IntentMemory, after: Levels, *, is_breached: bool, at: datetime
) -> IntentMemory:
    """The memory after this check."""
    since = (memory.since or at) if after.highest else None
    counts = _counts(evidence)
    last = counts if counts[1] else memory.last
    return replace(memory, halved=after.halved, gone=after.gone, since=since, last=last, is_breached=is_breached)


def _counts(evidence: IntentEvidence) -> tuple[int, int]:
    outcomes = evidence.outcomes
    return sum(outcomes), len(outcomes)
