"""The rule `regression`: the mean fell from what it was when the baseline was taken (a CUSUM of Page)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.rules.evidence import Evidence
from monitor.rules.memory import Drift, Memory, pooled
from monitor.rules.policy import BaselinePolicy, RegressionPolicy
from monitor.stats import Stratum, gaussian_drop, stratified_mean

NAME = "regression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A check beside its baseline, over the intents that have one: both means, the variance of the difference that a
    check shows by chance, and the limit that holds for the CUSUM.
    """

    mean: float
    reference: float
    variance: float
    limit: float


def compare(evidence: Evidence, memory: Memory, policy: RegressionPolicy, baseline: BaselinePolicy) -> Compared | None:
    """None until intents of at least half the weight have a baseline."""
    strata = _with_baseline(evidence, memory, baseline)
    total = sum(intent.weight for intent in evidence.intents)
    if not strata or sum(s.weight for s in strata.values()) < total / 2:
        return None
    measured = pooled(strata, memory.tau_squared(baseline))
    reference = _reference(strata, memory)
    if measured is None or reference is None:
        return None
    is_full = all(memory.intents[f].checks >= baseline.full for f in strata)
    limit = policy.limit if is_full else policy.limit * baseline.caution
    return Compared(mean=measured[0], reference=reference, variance=measured[1], limit=limit)


def _with_baseline(
    evidence: Evidence, memory: Memory, baseline: BaselinePolicy, *, first: int = 0
) -> dict[str, Stratum]:
    """The intents that can be compared, in the rounds from `first` on."""
    armed = {fingerprint for fingerprint, known in memory.intents.items() if known.checks >= baseline.armed}
    return {f: stratum for f, stratum in evidence.strata(memory.sums(), first=first).items() if f in armed}


def _reference(strata: Mapping[str, Stratum], memory: Memory) -> float | None:
    """The mean that just these intents had before."""
    return stratified_mean([replace(s, mean=memory.intents[f].sums.mean) for f, s in strata.items()])


def fall(drift: Drift, compared: Compared, policy: RegressionPolicy, at: datetime) -> Drift:
    """The CUSUM for a drop after this check."""
    step = gaussian_drop(compared.mean, compared.variance, reference=compared.reference, drop=policy.drop)
    return _moved(drift, step, compared, at)


def rise(drift: Drift, compared: Compared, policy: RegressionPolicy, at: datetime) -> Drift:
    """The mirror CUSUM: a lasting shift upward says that the baseline is out of date."""
    step = gaussian_drop(-compared.mean, compared.variance, reference=-compared.reference, drop=policy.drop)
    return _moved(drift, step, compared, at)


def _moved(drift: Drift, step: float, compared: Compared, at: datetime) -> Drift:
    level = max(0.0, drift.level + step)
    if not level:
        return Drift()
    weight = 1.0 / compared.variance
    return Drift(
        level=level,
        since=drift.since or at,
        weight=drift.weight + weight,
        weighted=drift.weighted + compared.mean * weight,
    )


def is_confirmed(evidence: Evidence, memory: Memory, policy: RegressionPolicy, baseline: BaselinePolicy) -> bool:
    """Whether the rounds that were played to confirm lie below the middle between baseline and drop."""
    if evidence.confirming_from is None:
        return False
    strata = _with_baseline(evidence, memory, baseline, first=evidence.confirming_from)
    mean, reference = stratified_mean([*strata.values()]), _reference(strata, memory)
    return mean is not None and reference is not None and mean < reference - policy.drop / 2
