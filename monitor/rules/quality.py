"""The rule `quality`: the mean is below the threshold, by more than chance in one check or steadily over a day."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from monitor.rules.memory import Measured
from monitor.rules.policy import QualityPolicy

NAME = "quality"


def day_mean(recent: Sequence[Measured], now: datetime, policy: QualityPolicy) -> float | None:
    """Mean over the last day, each check with the precision that it had; None for too few checks to steady it."""
    late = [entry for entry in recent if entry.at > now - policy.day]
    if len(late) < policy.day_checks:
        return None
    weight = math.fsum(1.0 / entry.variance for entry in late)
    return math.fsum(entry.mean / entry.variance for entry in late) / weight if weight else None


def why_breached(mean: float, variance: float, over_the_day: float | None, policy: QualityPolicy) -> str | None:
    """Why the mean is too low; None when it is not."""
    margin = policy.z * math.sqrt(variance)
    if mean + margin < policy.threshold:
        return f"average {mean:.3f} is below {policy.threshold:.2f} by more than chance ({margin:.3f})"
    if over_the_day is not None and over_the_day < policy.threshold and mean < policy.threshold:
        return f"average {mean:.3f}, over the last day {over_the_day:.3f}, is below {policy.threshold:.2f}"
    return None


def is_good(mean: float, policy: QualityPolicy) -> bool:
    """Whether this check counts towards recovery."""
    return mean > policy.threshold + policy.recovery_margin


def is_surely_healthy(mean: float, variance: float, policy: QualityPolicy) -> bool:
    """Whether more rounds could hardly change that the mean is above the threshold."""
    return mean - policy.healthy_z * math.sqrt(variance) > policy.threshold
