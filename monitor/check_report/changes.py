"""What moved between two measurements of the same thing, and whether chance alone would move it so far. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor.stats import shrunk_variance, variance_of_sums

Z95 = 1.96
"""Normal quantile of a two-sided interval of 95 %."""
ERROR_RATE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A mean in [0, 1] and its standard error."""

    mean: float
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """The mean at 95 %."""
        return max(0.0, self.mean - Z95 * self.error), min(1.0, self.mean + Z95 * self.error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A mean before and now, and the standard error of what lies between. `is_sure`: chance would hardly move it so."""

    before: float
    now: float
    error: float
    is_sure: bool

    @property
    def value(self) -> float:
        """Below 0: it fell."""
        return self.now - self.before

    @property
    def interval(self) -> tuple[float, float]:
        """The difference at 95 %."""
        return max(-1.0, self.value - Z95 * self.error), min(1.0, self.value + Z95 * self.error)


def sample_of(values: Sequence[float]) -> Sample | None:
    """Of single values; None without one."""
    if not values:
        return None
    return Sample(mean=math.fsum(values) / len(values), error=math.sqrt(shrunk_variance(values) / len(values)))


def widest(mean: float, count: int) -> Sample:
    """Of a mean whose single values are not known: no values in [0, 1] vary more than those that are all 0 or 1."""
    return Sample(mean=mean, error=math.sqrt(variance_of_sums(count, count * mean, count * mean) / max(count, 1)))


def difference(now: Sample, before: Sample) -> Difference:
    """Of one thing, asked about alone."""
    error = math.hypot(now.error, before.error)
    return Difference(before=before.mean, now=now.mean, error=error, is_sure=abs(now.mean - before.mean) > Z95 * error)


def together(parts: Iterable[tuple[float, Difference]], *, spread: float) -> Difference | None:
    """Of a weighted mean, from (weight, difference) of what it is the mean of; None without any.

    `spread` is the standard deviation of the mean from check to check beyond chance: both ends have it.
    """
    known = [*parts]
    total = math.fsum(weight for weight, _ in known)
    if not total:
        return None
    before = math.fsum(weight * part.before for weight, part in known) / total
    now = math.fsum(weight * part.now for weight, part in known) / total
    squares = math.fsum((weight / total * part.error) ** 2 for weight, part in known)
    error = math.sqrt(squares + 2.0 * spread * spread)
    return Difference(before=before, now=now, error=error, is_sure=abs(now - before) > Z95 * error)


def surely_moved(differences: Mapping[str, Difference]) -> frozenset[str]:
    """Those of several that moved by more than chance: the chance to name even one wrongly is 5 %.

    Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure", on two-sided normal p-values. Asked one by
    one, every twentieth would stand out with nothing changed.
    """
    found: set[str] = set()
    ordered = sorted((_p_value(one), name) for name, one in differences.items())
    for number, (p, name) in enumerate(ordered):
        if p > ERROR_RATE / (len(ordered) - number):
            break
        found.add(name)
    return frozenset(found)


def _p_value(one: Difference) -> float:
    if one.error <= 0.0:
        return 1.0 if one.value == 0.0 else 0.0
    return math.erfc(abs(one.value) / one.error / math.sqrt(2.0))
