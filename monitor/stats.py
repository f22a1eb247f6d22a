"""Numbers about numbers: how far a measured mean can be trusted. Pure; knows nothing of checks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def shrunk_variance(values: Sequence[float]) -> float:
    """Variance of one observation in [0, 1], shrunk so that a few equal values do not pass for certainty.

    The sample is joined by one pseudo-observation, half of it 0 and half of it 1. For values that are only 0 or 1 that
    is p (1 - p) at the posterior mean p = (k + 1/2) / (n + 1) under Jeffreys' prior Beta(1/2, 1/2) (Brown, Cai and
    DasGupta 2001, "Interval Estimation for a Binomial Proportion").
    """
    size = len(values) + 1
    mean = (math.fsum(values) + 0.5) / size
    square = (math.fsum(value * value for value in values) + 0.5) / size
    return max(0.0, square - mean * mean)


def stratified_standard_error(strata: Iterable[tuple[float, Sequence[float]]]) -> float | None:
    """Standard error of a weighted mean of stratum means; None without a stratum that has a value.

    `strata` are (weight, values in [0, 1]); those without values are left out, as they are of the mean itself. With
    W the sum of weights: sqrt(sum (w_i / W)^2 s_i^2 / n_i) (Cochran 1977, "Sampling Techniques", 5.9), s_i^2 shrunk.
    """
    known = [(weight, values) for weight, values in strata if values]
    total = math.fsum(weight for weight, _ in known)
    if not total:
        return None
    return math.sqrt(math.fsum((weight / total) ** 2 * shrunk_variance(v) / len(v) for weight, v in known))
