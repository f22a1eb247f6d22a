"""How far numbers agree with human labels, each figure with its interval at 95 %. Pure; knows nothing of checks.

A figure that cannot be had is None with the reason: too few values, or values that do not differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z = 1.959963984540054
"""Half the width of an interval at 95 %, in standard errors."""
HALVINGS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its interval; None where it was not measured, and `reason` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often a yes/no measurement and a yes/no label came together."""

    both: int
    measured_only: int
    labelled_only: int
    neither: int

    @property
    def total(self) -> int:
        """All pairs."""
        return self.both + self.measured_only + self.labelled_only + self.neither

    @property
    def good(self) -> int:
        """Pairs whose label is yes."""
        return self.both + self.labelled_only

    @property
    def bad(self) -> int:
        """Pairs whose label is no."""
        return self.measured_only + self.neither


def confusion(measured: Sequence[bool], labelled: Sequence[bool]) -> Confusion:
    """Counts of the four ways in which a pair can come out."""
    pairs = list(zip(measured, labelled, strict=True))
    return Confusion(
        both=pairs.count((True, True)),
        measured_only=pairs.count((True, False)),
        labelled_only=pairs.count((False, True)),
        neither=pairs.count((False, False)),
    )


def ranks(values: Sequence[float]) -> list[float]:
    """The rank of each value from 1 on; equal ones share the mean of their ranks."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for index in order[start:end]:
            found[index] = (start + end + 1) / 2
        start = end
    return found


def spearman(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Spearman's rank correlation: Pearson's of the ranks, ties sharing theirs.

    The interval is Fisher's, z = atanh r, with the standard error sqrt((1 + r^2 / 2) / (n - 3)) of Bonett and Wright
    (2000), "Sample size requirements for estimating Pearson, Kendall and Spearman correlations".
    """
    n = len(first)
    if n < 4:
        return Estimate(value=None, reason=f"{n} pairs, and 4 are the least")
    r = _pearson(ranks(first), ranks(second))
    if r is None:
        return Estimate(value=None, reason="all values are equal")
    if abs(r) > 1 - 1e-12:
        return Estimate(value=math.copysign(1.0, r), reason="no interval: the orders are the same or opposite")
    z, half = math.atanh(r), Z * math.sqrt((1 + r * r / 2) / (n - 3))
    return Estimate(value=r, low=math.tanh(z - half), high=math.tanh(z + half))


def auc(values: Sequence[float], labels: Sequence[bool]) -> Estimate:
    """The chance that a good one is above a bad one, ties counting one half (Mann and Whitney 1947).

    The interval is method 5 of Newcombe (2006), "Confidence intervals for an effect size measure based on the
    Mann-Whitney statistic. Part 2: asymptotic methods and evaluation": all areas A with |a - A| <= z sqrt(V(A)) for the
    area a that was seen, V as in `auc_variance`. It has a width where a is 0 or 1.
    """
    good, bad = sum(labels), len(labels) - sum(labels)
    if not good or not bad:
        return Estimate(value=None, reason=f"{good} good and {bad} bad labels, and one of each is the least")
    of_good = math.fsum(rank for rank, is_good in zip(ranks(values), labels, strict=True) if is_good)
    a = (of_good - good * (good + 1) / 2) / (good * bad)
    return Estimate(value=a, low=_farthest(a, 0.0, good, bad), high=_farthest(a, 1.0, good, bad))


def auc_variance(a: float, good: int, bad: int) -> float:
    """The variance of an area `a` under the curve, of Hanley and McNeil (1982), "The meaning and use of the area under
    a ROC curve", with n = (good + bad) / 2 - 1 in the place of good - 1 and of bad - 1 (Newcombe 2006).
    """
    n = (good + bad) / 2 - 1
    return a * (1 - a) * (1 + n * (1 - a) / (2 - a) + n * a / (1 + a)) / (good * bad)


def _farthest(a: float, end: float, good: int, bad: int) -> float:
    """The area farthest from `a` towards `end` that could have given it, by halving: V is 0 at `end`."""
    inside, outside = a, end
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        could = abs(a - middle) <= Z * math.sqrt(auc_variance(middle, good, bad))
        inside, outside = (middle, outside) if could else (inside, middle)
    return outside


def kappa(table: Confusion) -> Estimate:
    """Agreement beyond chance, (p_o - p_e) / (1 - p_e), with its large-sample error sqrt(p_o q_o / n) / (1 - p_e).

    Cohen (1960), "A coefficient of agreement for nominal scales". Where all pairs agree, or none, that error is 0 and
    says nothing: there is no interval.
    """
    n = table.total
    if not n:
        return Estimate(value=None, reason="no pairs")
    seen = (table.both + table.neither) / n
    said_yes = (table.both + table.measured_only) / n
    chance = said_yes * table.good / n + (1 - said_yes) * table.bad / n
    if chance >= 1:
        return Estimate(value=None, reason="both sides always say the same word")
    if seen in (0.0, 1.0):
        who = "all pairs agree" if seen else "no pair agrees"
        return Estimate(value=(seen - chance) / (1 - chance), reason=f"no interval: {who}")
    return _within((seen - chance) / (1 - chance), math.sqrt(seen * (1 - seen) / n) / (1 - chance), -1.0, 1.0)


def share(count: int, n: int) -> Estimate:
    """A share with the score interval of Wilson (1927)."""
    if not n:
        return Estimate(value=None, reason="none of them")
    p, z2 = count / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Estimate(value=p, low=min(p, max(0.0, middle - half)), high=max(p, min(1.0, middle + half)))


def corrected_share(passed: int, n: int, table: Confusion) -> Estimate:
    """The share that people would pass, from `passed` of `n` that were only measured, and labels on others.

    Rogan and Gladen (1978): (p + sp - 1) / (se + sp - 1), cut to [0, 1]. Interval of Lang and Reiczigel (2014),
    "Confidence limits for prevalence of disease adjusted for estimated sensitivity and specificity".
    """
    if not n or not table.good or not table.bad:
        return Estimate(value=None, reason="needs measured ones, and labels of both kinds")
    se, sp = table.both / table.good, table.neither / table.bad
    if se + sp <= 1:
        text = f"sensitivity {se:.2f} and specificity {sp:.2f} sum to at most 1: no better than chance"
        return Estimate(value=None, reason=text)
    value = _clip((passed / n + sp - 1) / (se + sp - 1))
    z2 = Z * Z
    many, n_se, n_sp = n + z2, table.good + 2, table.bad + 2
    p, se, sp = (passed + z2 / 2) / many, (table.both + 1) / n_se, (table.neither + 1) / n_sp
    if se + sp <= 1:
        return Estimate(value=value, reason="no interval: too few labels")
    centre = (p + sp - 1) / (se + sp - 1)
    of_se, of_sp = se * (1 - se) / n_se, sp * (1 - sp) / n_sp
    shift = 2 * z2 * (centre * of_se - (1 - centre) * of_sp)
    error = math.sqrt(p * (1 - p) / many + centre**2 * of_se + (1 - centre) ** 2 * of_sp) / (se + sp - 1)
    low, high = _clip(centre + shift - Z * error), _clip(centre + shift + Z * error)
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def clustered_mean(differences: Sequence[tuple[str, float]]) -> tuple[float, float | None]:
    """The mean of differences and its standard error (None: not to be had); each comes with the name of its cluster.

    Liang and Zeger (1986): sqrt(G / (G - 1) * sum over clusters of (sum of deviations from the mean)^2) / n, with G
    clusters. With a single cluster the differences count as clusters of their own: sqrt(s^2 / n).
    Raises ValueError without any.
    """
    if not differences:
        raise ValueError("there is no mean of nothing")
    n = len(differences)
    mean = math.fsum(difference for _, difference in differences) / n
    names = {name for name, _ in differences}
    sums: dict[object, float] = {}
    for index, (name, difference) in enumerate(differences):
        key: object = name if len(names) > 1 else index
        sums[key] = sums.get(key, 0.0) + difference - mean
    clusters = len(sums)
    if clusters < 2:
        return mean, None
    return mean, math.sqrt(clusters / (clusters - 1) * math.fsum(total * total for total in sums.values())) / n


def _pearson(first: Sequence[float], second: Sequence[float]) -> float | None:
    n = len(first)
    mean1, mean2 = math.fsum(first) / n, math.fsum(second) / n
    both = math.fsum((a - mean1) * (b - mean2) for a, b in zip(first, second, strict=True))
    square1 = math.fsum((a - mean1) ** 2 for a in first)
    square2 = math.fsum((b - mean2) ** 2 for b in second)
    scale = math.sqrt(square1 * square2)
    return max(-1.0, min(1.0, both / scale)) if scale > 0 else None


def _within(value: float, error: float, low: float, high: float) -> Estimate:
    return Estimate(value=value, low=max(low, value - Z * error), high=min(high, value + Z * error))


def _clip(value: float) -> float:
    return min(1.0, max(0.0, value))
