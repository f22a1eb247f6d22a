"""What the rules remember of a suite within an epoch from check to check. Stored as it is; one value, never patched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache

from monitor.rules.evidence import NO_SUMS, Evidence, Sums
from monitor.rules.policy import BaselinePolicy
from monitor.stats import Stratum, between_variance, stratified_mean, stratified_variance


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentMemory:
    """One intent as it was when the baseline was taken, by its fingerprint, and its running CUSUMs.

    `checks` went into the baseline: `sums` of its values, `passes` of `trials`. `halved` and `gone` are the CUSUMs
    against half the pass rate and against hardly any; one of them is above 0 `since` then.
    `last` are the passes and trials of the check before. `is_breached`: its rule is in breach.
    """

    intent_id: str
    checks: int = 0
    sums: Sums = NO_SUMS
    passes: int = 0
    trials: int = 0
    halved: float = 0.0
    gone: float = 0.0
    since: datetime | None = None
    last: tuple[int, int] = (0, 0)
    is_breached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A mean of one check and its own variance. `of` names the intents that it is the mean of."""

    at: datetime
    mean: float
    variance: float
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A running CUSUM of the mean: its level, when it began to rise, and the mean since then.

    `weight` and `weighted` are the sums of 1 / variance and of mean / variance since `since`.
    """

    level: float = 0.0
    since: datetime | None = None
    weight: float = 0.0
    weighted: float = 0.0

    @property
    def mean(self) -> float | None:
        """The precision-weighted mean since the rise began; None before."""
        return self.weighted / self.weight if self.weight else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """All of it.

    `intents` are by fingerprint; `spread` holds the first rounds of the baseline's checks, for the variance between
    checks; `recent` the means of the last day; `fall` and `rise` the CUSUMs of the mean; `good` how many checks in a
    row were good, by rule; `breached` the rules of the whole suite that are in breach; `confirmed`: the fall was;
    `is_rise_told`: a lasting rise was, and has not ended since.
    """

    intents: Mapping[str, IntentMemory] = field(default_factory=dict)
    spread: tuple[Measured, ...] = ()
    recent: tuple[Measured, ...] = ()
    fall: Drift = Drift()
    rise: Drift = Drift()
    good: Mapping[str, int] = field(default_factory=dict)
    breached: frozenset[str] = frozenset()
    confirmed: bool = False
    is_rise_told: bool = False

    def sums(self) -> dict[str, Sums]:
        """What the baselines know of each intent's values."""
        return {fingerprint: intent.sums for fingerprint, intent in self.intents.items()}

    def tau_squared(self, policy: BaselinePolicy) -> float:
        """Variance between checks beyond chance: `between_variance` of the first rounds of the baseline's checks.

        Only first rounds: later ones were played because of what the first ones said.
        """
        return max(policy.least_spread**2, _between(self.spread) or 0.0)

    def learned(self, evidence: Evidence, policy: BaselinePolicy, least_rounds: int) -> Memory:
        """With this check in the baselines that are not full yet. Full ones stay as they are for good; those of intents
        that are in breach, until that has ended.
        """
        intents = dict(self.intents)
        for intent in evidence.intents:
            before = intents.get(intent.fingerprint) or IntentMemory(intent_id=intent.intent_id)
            sums = intent.sums(evidence.rounds)
            if before.checks >= policy.full or before.is_breached or not sums.count:
                intents[intent.fingerprint] = before
                continue
            outcomes = [passed for passed in intent.passed[: evidence.rounds] if passed is not None]
            intents[intent.fingerprint] = replace(
                before,
                checks=before.checks + 1,
                sums=before.sums + sums,
                passes=before.passes + sum(outcomes),
                trials=before.trials + len(outcomes),
            )
        return replace(self, intents=intents, spread=self._spread(evidence, policy, least_rounds))

    def _spread(self, evidence: Evidence, policy: BaselinePolicy, least_rounds: int) -> tuple[Measured, ...]:
        if len(self.spread) >= policy.full:
            return self.spread
        strata = evidence.strata(self.sums(), rounds=least_rounds)
        mean, variance = stratified_mean([*strata.values()]), stratified_variance([*strata.values()])
        if mean is None or not variance:
            return self.spread
        return (*self.spread, Measured(at=evidence.at, mean=mean, variance=variance, of=",".join(sorted(strata))))


@lru_cache(maxsize=256)
def _between(spread: tuple[Measured, ...]) -> float | None:
    groups: dict[str, list[tuple[float, float]]] = {}
    for entry in spread:
        groups.setdefault(entry.of, []).append((entry.mean, entry.variance))
    return between_variance(groups.values())


def pooled(strata: Mapping[str, Stratum], tau_squared: float) -> tuple[float, float] | None:
    """Mean of these intents and its variance, the wobble between checks included; None without a value."""
    mean, variance = stratified_mean([*strata.values()]), stratified_variance([*strata.values()])
    return None if mean is None or variance is None else (mean, variance + tau_squared)
