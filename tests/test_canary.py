"""When canaries raise the alarm: each rule by itself, at its border."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.canary import (
    AlarmRule,
    CanaryAlarm,
    CanaryRun,
    CanaryScore,
    CanaryState,
    flipped,
    measured,
    state_of,
    wrong_ids,
)
from tests.parties import T0

DAY = 86_400.0


def score(canary_id: str, value: float | None, *, is_good: bool, reason: str = "") -> CanaryScore:
    passed = None if value is None else value >= 0.5
    return CanaryScore(id=canary_id, kind="k", is_good=is_good, value=value, passed=passed, reason=reason)


def sixty(
    changes: Mapping[str, float | None] | None = None, *, good: float = 0.9, bad: float = 0.1
) -> list[CanaryScore]:
    """Thirty good ones and thirty bad ones, g0 to g29 and b0 to b29; `changes` replace the values of some."""
    values = {f"g{n}": good for n in range(30)} | {f"b{n}": bad for n in range(30)} | dict(changes or {})
    return [score(name, value, is_good=name[0] == "g") for name, value in values.items()]


def run(results: Sequence[CanaryScore], baseline: CanaryRun | None = None, epoch: str = "e1") -> CanaryRun:
    return measured(results, run_id="r", at=T0, epoch=epoch, fingerprint="f", baseline=baseline)


BASELINE = run(sixty())


def test_a_first_run_has_its_figures_and_nothing_to_be_held_against() -> None:
    assert (BASELINE.scored, BASELINE.not_scored, BASELINE.auc, BASELINE.flips) == (60, 0, 1.0, None)
    assert BASELINE.mean_good == pytest.approx(0.9)
    assert BASELINE.mean_bad == pytest.approx(0.1)
    assert not BASELINE.is_sick


@pytest.mark.parametrize(
    ("values", "auc"), [([0.9, 0.8, 0.1, 0.2], 1.0), ([0.5, 0.5, 0.5, 0.5], 0.5), ([0.9, 0.2, 0.5, 0.2], 0.625)]
)
def test_the_auc_counts_pairs_and_ties_as_half(values: list[float], auc: float) -> None:
    results = [score(str(n), value, is_good=n < 2) for n, value in enumerate(values)]
    assert run(results).auc == auc


@pytest.mark.parametrize(
    ("results", "rules"),
    [
        (sixty(), []),
        (sixty({"g0": 0.49, "g1": 0.49}), []),
        (sixty({"g0": 0.4, "g1": 0.4, "g2": 0.4}), ["shift", "flips"]),
        (sixty({"b0": 0.5, "b1": 0.5}), []),
        (sixty({"g0": 0.45, "b0": 0.5, "b1": 0.5}), ["flips"]),
        (sixty(good=0.87), []),
        (sixty(good=0.869), ["shift"]),
        (sixty(good=0.931), ["shift"]),
        (sixty(bad=0.131), ["shift"]),
        (sixty(good=0.6, bad=0.6), ["auc", "shift", "shift", "flips"]),
        (sixty({"g0": None, "g1": None}), []),
        (sixty({"g0": None, "g1": None, "b0": None}), ["not_scored"]),
        (sixty({f"{label}{n}": None for label in "gb" for n in range(30)}), ["not_scored"]),
    ],
)
def test_each_rule_fires_beyond_its_border_and_not_at_it(results: list[CanaryScore], rules: list[str]) -> None:
    found = run(results, BASELINE)
    assert [alarm.rule.value for alarm in found.alarms] == rules
    assert found.is_sick is bool(rules)


@pytest.mark.parametrize(("count", "flips", "is_sick"), [(20, 1, True), (21, 1, False), (40, 2, True), (120, 5, False)])
def test_the_flips_that_are_too_many_grow_with_the_canaries(count: int, flips: int, is_sick: bool) -> None:
    before = [score(str(n), 0.51 if n % 2 else 0.5, is_good=bool(n % 2)) for n in range(count)]
    after = [replace(result, passed=not result.passed) if n < flips else result for n, result in enumerate(before)]
    rules = [alarm.rule for alarm in run(after, run(before)).alarms]
    assert (AlarmRule.FLIPS in rules) is is_sick


@pytest.mark.parametrize(("wrong", "is_sick"), [(3, False), (4, True)])
def test_the_auc_needs_no_baseline(wrong: int, is_sick: bool) -> None:
    """Three bad ones of sixty above every good one leave an AUC of exactly 0.95."""
    good = [score(f"g{n}", 0.9, is_good=True) for n in range(60)]
    bad = [score(f"b{n}", 1.0 if n < wrong else 0.1, is_good=False) for n in range(60)]
    assert [alarm.rule for alarm in run([*good, *bad]).alarms] == [AlarmRule.AUC] * is_sick


def test_an_alarm_names_the_canaries_behind_it() -> None:
    found = run(sixty({"g0": 0.1, "g7": 0.2, "b3": 0.8}), BASELINE)
    by_rule = {alarm.rule: alarm for alarm in found.alarms}
    assert by_rule[AlarmRule.FLIPS].ids == ("g0", "g7", "b3")
    assert by_rule[AlarmRule.SHIFT].ids == ("g0", "g7")
    assert "3 of 60 flipped: g0, g7, b3" in found.reason


def test_a_long_list_of_canaries_is_cut_in_the_text_alone() -> None:
    alarm = CanaryAlarm(rule=AlarmRule.AUC, reason="low", ids=tuple(map(str, range(20))))
    assert str(alarm) == "low: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more"


def test_what_has_no_score_moves_no_mean_and_flips_nothing() -> None:
    """The good ones that are left have the same scores; their mean over all of them would have moved."""
    before = run(sixty({f"g{n}": 0.6 for n in range(15)}))
    after = run(sixty({f"g{n}": None for n in range(15)}), before)
    assert after.mean_good == pytest.approx(0.9)
    assert [alarm.rule for alarm in after.alarms] == [AlarmRule.NOT_SCORED]
    assert after.flips == 0


def test_why_canaries_have_no_score_is_told() -> None:
    failed = [score(f"g{n}", None, is_good=True, reason="JudgeFailure: timeout") for n in range(3)]
    assert "3 of 3 have no score (JudgeFailure: timeout): g0, g1, g2" in run(failed).reason


def test_only_canaries_of_both_runs_are_compared() -> None:
    before = [score("old", 0.9, is_good=True), score("both", 0.9, is_good=True)]
    now = [score("new", 0.1, is_good=True), score("both", 0.2, is_good=True)]
    assert flipped(now, before) == ("both",)


def test_wrong_are_good_ones_that_fail_and_bad_ones_that_pass() -> None:
    assert wrong_ids(sixty({"g1": 0.2, "b1": 0.9, "b2": None})) == ("g1", "b1")


@pytest.mark.parametrize(
    ("newest", "days", "state"),
    [
        (None, 0.0, CanaryState.UNKNOWN),
        (BASELINE, 0.0, CanaryState.HEALTHY),
        (BASELINE, 1.9, CanaryState.HEALTHY),
        (BASELINE, 2.1, CanaryState.UNKNOWN),
        (run(sixty(), epoch="e0"), 0.0, CanaryState.UNKNOWN),
        (run(sixty(good=0.0)), 0.0, CanaryState.SICK),
        (run([]), 0.0, CanaryState.UNKNOWN),
    ],
)
def test_a_run_says_something_for_two_intervals_about_its_own_epoch(
    newest: CanaryRun | None, days: float, state: CanaryState
) -> None:
    assert state_of(newest, "e1", T0 + timedelta(days=days), every_seconds=DAY) is state
