"""False alarms a year, time to find, and cost, on a suite of known chances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np

from monitor.rules.policy import RulesPolicy
from monitor.verdict import OVERALL
from tests.benchmarks.alerts.world import (
    CHECKS_A_DAY,
    CHECKS_A_YEAR,
    INTERVAL,
    SUITE,
    Alarms,
    Chances,
    Watch,
    chances,
    dead,
    dropped,
)

INTENTS, MEAN, CORRELATION, WOBBLE, WARM_UP = 20, 0.80, 0.5, 0.01, 42
PATIENCE = 100
"""Checks after which what was not found counts as found then."""
POLICY = RulesPolicy()
HOURS = INTERVAL.total_seconds() / 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is simulated: suites of a year each without any change, and suites for each kind of change."""

    years: int = 40
    changes: int = 200
    processes: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """What a year in which nothing got worse told people, and the conversations it took a day."""

    notifications: tuple[str, ...]
    pages: tuple[str, ...]
    conversations_a_day: float


def warm(seed: tuple[int, ...]) -> tuple[Watch, Alarms]:
    """A suite of its own with its baseline taken."""
    draw = np.random.default_rng(seed)
    passing = chances(draw, intents=INTENTS, mean=MEAN, correlation=CORRELATION)
    watch, alarms = Watch(draw=draw, policy=POLICY, passing=passing, wobble=WOBBLE), Alarms()
    for played in watch.checks(WARM_UP):
        alarms.hear(played.verdicts)
    return watch, alarms


def year(number: int) -> Year:
    """A year in which nothing gets worse."""
    watch, warming = warm((1, number))
    alarms = Alarms(open_rules=warming.open_rules, paged=warming.paged)
    conversations = 0
    for played in watch.checks(CHECKS_A_YEAR):
        conversations += played.conversations
        alarms.hear(played.verdicts)
    a_day = conversations / CHECKS_A_YEAR * CHECKS_A_DAY
    return Year(notifications=tuple(alarms.notifications), pages=tuple(alarms.pages), conversations_a_day=a_day)


def checks_to_find(number: int, change: Callable[[Watch], Chances | None], scopes: frozenset[str] | None) -> int:
    """How many checks after a change the first incident (of one of these scopes) opens; the change comes just after a
    check. One that was open before is closed first.
    """
    watch, _ = warm((2, number))
    alarms, passing = Alarms(), change(watch)
    if passing is not None:
        watch.passing = passing
    for count, played in enumerate(watch.checks(PATIENCE), 1):
        if any(scopes is None or verdict.scope in scopes for verdict in alarms.hear(played.verdicts)):
            return count
    return PATIENCE


def after_drop(number: int, drop: float) -> int:
    """Every intent passes less often."""
    return checks_to_find(number, lambda watch: dropped(watch.passing, drop), None)


def after_death(number: int) -> int:
    """One of the intents that are watched never passes any more: told of itself or of the whole suite."""
    watch, _ = warm((2, number))
    known = watch.memory.intents
    least = POLICY.intent.least_share if POLICY.intent else 0.0
    watched = [n for n in range(INTENTS) if known[f"intent-{n}"].passes > least * known[f"intent-{n}"].trials]
    chosen = watched[number % len(watched)]
    scopes = frozenset({f"{SUITE}/intent-{chosen}", f"{SUITE}/{OVERALL}"})
    return checks_to_find(number, lambda watch: dead(watch.passing, chosen), scopes)


def after_outage(number: int) -> int:
    """Every conversation fails."""

    def fail(watch: Watch) -> Chances:
        watch.failing = True
        return np.zeros(INTENTS)

    return checks_to_find(number, fail, None)


def measure(size: Size) -> Mapping[str, object]:
    """All figures. Medians of hours count from just after a check, the worst moment for a change to come."""
    with ProcessPoolExecutor(size.processes) as pool:
        years = list(pool.map(year, range(size.years)))
        tenth = list(pool.map(after_drop, range(size.changes), [0.10] * size.changes))
        twentieth = list(pool.map(after_drop, range(size.changes), [0.05] * size.changes))
        deaths = list(pool.map(after_death, range(size.changes)))
        outages = list(pool.map(after_outage, range(min(20, size.changes))))
    return {
        "simulated_years": size.years,
        "false_notifications_per_year": fmean(len(y.notifications) for y in years),
        "false_pages_per_year": fmean(len(y.pages) for y in years),
        "hours_to_find_10": HOURS * median(tenth),
        "hours_to_find_10_p90": HOURS * float(np.quantile(tenth, 0.9)),
        "hours_to_find_05": HOURS * median(twentieth),
        "hours_to_find_05_p90": HOURS * float(np.quantile(twentieth, 0.9)),
        "checks_to_find_dead_intent": max(deaths),
        "checks_to_find_dead_intent_median": median(deaths),
        "checks_to_find_outage": max(outages),
        "conversations_per_day": fmean(y.conversations_a_day for y in years),
    }
