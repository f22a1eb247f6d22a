"""Numbers about numbers: how far a measured mean can be trusted, and when a series has changed.

Pure; knows nothing of checks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def shrunk_variance(values: Sequence[float]) -> float:
    """Variance of one observation in [0, 1], shrunk so that a few equal values do not pass for certainty.

    `variance_of_sums` on the values' count, sum and sum of squares.
    """
    return variance_of_sums(len(values), math.fsum(values), math.fsum(value * value for value in values))


def variance_of_sums(count: int, total: float, squares: float) -> float:
    """Variance of one observation in [0, 1], from the count, the sum and the sum of squares of a sample.

    The sample is joined by one pseudo-observation, half of it 0 and half of it 1. For values that are only 0 or 1 that
    is p (1 - p) at the posterior mean p = (k + 1/2) / (n + 1) under Jeffreys' prior Beta(1/2, 1/2) (Brown, Cai and
    DasGupta 2001, "Interval Estimation for a Binomial Proportion").
    """
    mean = (total + 0.5) / (count + 1)
    return max(0.0, (squares + 0.5) / (count + 1) - mean * mean)


def shrunk_share(successes: int, trials: int) -> float:
    """Posterior mean of a share under Jeffreys' prior: (k + 1/2) / (n + 1) (Brown, Cai and DasGupta 2001)."""
    return (successes + 0.5) / (trials + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """One intent's part of a mean: its weight, how many values it has, their mean, and the variance of one value."""

    weight: float
    count: int
    mean: float
    variance: float


def stratified_mean(strata: Sequence[Stratum]) -> float | None:
    """Weighted mean of stratum means over the strata that have a value; None without one."""
    total = math.fsum(s.weight for s in strata if s.count)
    return math.fsum(s.weight * s.mean for s in strata if s.count) / total if total else None


def stratified_variance(strata: Sequence[Stratum]) -> float | None:
    """Variance of `stratified_mean` for just these strata; None without a value.

    With W the sum of weights: sum (w_i / W)^2 s_i^2 / n_i (Cochran 1977, "Sampling Techniques", 5.9).
    """
    total = math.fsum(s.weight for s in strata if s.count)
    if not total:
        return None
    return math.fsum((s.weight / total) ** 2 * s.variance / s.count for s in strata if s.count)


def stratified_standard_error(strata: Iterable[tuple[float, Sequence[float]]]) -> float | None:
    """Standard error of a weighted mean of stratum means; None without a stratum that has a value.

    `strata` are (weight, values in [0, 1]); the root of `stratified_variance` with `shrunk_variance` for each.
    """
    known = [
        Stratum(weight=weight, count=len(v), mean=math.fsum(v) / len(v), variance=shrunk_variance(v))
        for weight, v in strata
        if v
    ]
    variance = stratified_variance(known)
    return None if variance is None else math.sqrt(variance)


def clustered_standard_error(clusters: Sequence[tuple[float, float]]) -> float | None:
    """Standard error of a weighted mean when the clusters (intents) themselves are a sample of all that users want.

    `clusters` are (weight, mean); None for fewer than two. With W the sum of weights and m the weighted mean:
    sqrt(k / (k - 1) sum (w_i / W)^2 (m_i - m)^2), the cluster-robust error of Miller 2024, "Adding Error Bars to
    Evals" (arXiv 2411.00640), 2.2, with the usual correction for few clusters.
    """
    count, total = len(clusters), math.fsum(weight for weight, _ in clusters)
    if count < 2 or not total:
        return None
    mean = math.fsum(weight * value for weight, value in clusters) / total
    squares = math.fsum((weight / total) ** 2 * (value - mean) ** 2 for weight, value in clusters)
    return math.sqrt(count / (count - 1) * squares)


def between_variance(groups: Iterable[Sequence[tuple[float, float]]]) -> float | None:
    """Variance that repeated measurements show beyond their own errors; None where nothing was measured twice.

    `groups` hold (value, variance of that value) of measurements of one and the same thing; what differs between groups
    is no part of it. With w = 1 / variance in each group: Q = sum w (x - mean_w)^2, and the unbiased estimate is
    t = (sum Q - sum (k - 1)) / c, c = sum (sum w - sum w^2 / sum w) (DerSimonian and Laird 1986, "Meta-analysis in
    clinical trials"). Without any such variance its standard error is e = sqrt(2 sum (k - 1)) / c. Returned is the mean
    of a normal with centre t and deviation e that is cut off below 0: t + e phi(t / e) / Phi(t / e). The estimate cut
    off at 0 would be 0 every other time where a little variance is, and every later test would believe too much.
    """
    excess, scale, freedom = 0.0, 0.0, 0
    for group in groups:
        known = [(value, 1.0 / variance) for value, variance in group if variance > 0.0]
        if len(known) < 2:
            continue
        total = math.fsum(weight for _, weight in known)
        mean = math.fsum(weight * value for value, weight in known) / total
        excess += math.fsum(weight * (value - mean) ** 2 for value, weight in known) - (len(known) - 1)
        scale += total - math.fsum(weight * weight for _, weight in known) / total
        freedom += len(known) - 1
    if not freedom:
        return None
    estimate, error = excess / scale, math.sqrt(2.0 * freedom) / scale
    return _mean_above_zero(estimate, error)


def _mean_above_zero(centre: float, deviation: float) -> float:
    """Mean of a normal that is cut off below 0 (Johnson, Kotz and Balakrishnan 1994, 13.10.1)."""
    ratio = centre / deviation
    if ratio < -30.0:  # phi / Phi tends to -ratio - 1 / ratio there, and both vanish as floats soon
        return -deviation / ratio
    density = math.exp(-ratio * ratio / 2.0) / math.sqrt(2.0 * math.pi)
    return centre + deviation * density / (math.erfc(-ratio / math.sqrt(2.0)) / 2.0)


def wilson_bounds(successes: int, trials: int, z: float) -> tuple[float, float]:
    """Bounds of a share by Wilson's score interval, each at the one-sided level of the normal quantile `z`.

    (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n) (Wilson 1927). Without trials (0, 1).
    """
    if not trials:
        return 0.0, 1.0
    share, square = successes / trials, z * z / trials
    centre = share + square / 2
    half = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials))
    return max(0.0, (centre - half) / (1 + square)), min(1.0, (centre + half) / (1 + square))


def gaussian_drop(value: float, variance: float, *, reference: float, drop: float) -> float:
    """Log-likelihood ratio of a fall of the mean by `drop` against none: (d / V)(mu0 - m - d/2).

    The increment of Page's CUSUM (Page 1954, "Continuous Inspection Schemes") for a normal mean of known variance
    (Hawkins and Olwell 1998, "Cumulative Sum Charts and Charting for Quality Improvement", 2.3).
    """
    return drop / variance * (reference - value - drop / 2)


@dataclass(frozen=True, slots=True)
class BernoulliSteps:
    """What one pass and one failure add to a Bernoulli CUSUM for a share that falls from p0 to p1.

    log(p1 / p0) and log((1 - p1) / (1 - p0)) (Reynolds and Stoumbos 1999, "A CUSUM Chart for Monitoring a Proportion
    When Inspecting Continuously").
    """

    on_pass: float
    on_failure: float

    @classmethod
    def between(cls, p0: float, p1: float) -> BernoulliSteps:
        """Raises ValueError unless 0 < p1 < p0 < 1."""
        if not 0.0 < p1 < p0 < 1.0:
            raise ValueError(f"shares must satisfy 0 < p1 < p0 < 1, not p0={p0} and p1={p1}")
        return cls(math.log(p1 / p0), math.log((1.0 - p1) / (1.0 - p0)))


def bernoulli_cusum(start: float, outcomes: Iterable[bool], steps: BernoulliSteps) -> float:
    """The CUSUM after these outcomes: max(0, C + step) for each (Page 1954)."""
    level = start
    for passed in outcomes:
        level = max(0.0, level + (steps.on_pass if passed else steps.on_failure))
    return level
