"""The plain rule for comparison: average below the threshold in ten fixed rounds, told at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import fmean, median

import numpy as np

from tests.benchmarks.alerts.simulated import CORRELATION, HOURS, INTENTS, MEAN, PATIENCE, WOBBLE
from tests.benchmarks.alerts.world import CHECKS_A_DAY, CHECKS_A_YEAR, Chances, chances, dropped

ROUNDS, THRESHOLD, RECOVERY_CHECKS = 10, 0.70, 2


def means(draw: np.random.Generator, passing: Chances, checks: int) -> Iterator[float]:
    """The averages of so many checks."""
    for _ in range(checks):
        moved = np.clip(passing + draw.normal(0.0, WOBBLE), 0.0, 1.0)
        yield float((draw.random((ROUNDS, INTENTS)) < moved).mean())


def opened(averages: Iterator[float]) -> list[int]:
    """The numbers of the checks that opened an incident: below the threshold, while none was open."""
    found, is_open, good = [], False, 0
    for number, average in enumerate(averages, 1):
        good = good + 1 if average >= THRESHOLD else 0
        if average < THRESHOLD and not is_open:
            found.append(number)
            is_open = True
        elif good >= RECOVERY_CHECKS:
            is_open = False
    return found


def measure(years: int, changes: int) -> Mapping[str, object]:
    """False alarms a year, hours to find two drops (as for our rules), and cost."""
    return {
        "false_notifications_per_year": fmean(len(_year(number)) for number in range(years)),
        "hours_to_find_10": HOURS * median(_found(number, 0.10) for number in range(changes)),
        "hours_to_find_05": HOURS * median(_found(number, 0.05) for number in range(changes)),
        "conversations_per_day": CHECKS_A_DAY * ROUNDS * INTENTS,
    }


def _suite(seed: tuple[int, int]) -> tuple[np.random.Generator, Chances]:
    draw = np.random.default_rng(seed)
    return draw, chances(draw, intents=INTENTS, mean=MEAN, correlation=CORRELATION)


def _year(number: int) -> list[int]:
    return opened(means(*_suite((3, number)), CHECKS_A_YEAR))


def _found(number: int, drop: float) -> int:
    draw, passing = _suite((4, number))
    return next(iter(opened(means(draw, dropped(passing, drop), PATIENCE))), PATIENCE)
