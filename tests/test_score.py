"""Composition of scores: what is not measured is never a number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge_usage import JudgeUsage
from monitor.score import ComponentScore, ItemScore, checklist_value, compose

WEIGHTS = {"task": 0.5, "conduct": 0.1}
UNIT = st.floats(0, 1)


def item(value: float | None, **how: object) -> ItemScore:
    return ItemScore(**({"id": "i", "kind": "k", "value": value, "reason": "r"} | how))  # type: ignore[arg-type]


def part(name: str, value: float | None, *items: ItemScore) -> ComponentScore:
    return ComponentScore(name=name, value=value, reason="why", items=items)


def test_the_score_is_the_weighted_mean_of_the_components_that_are_on() -> None:
    score = compose((part("task", 1.0), part("conduct", 0.4), part("quality", 0.0)), WEIGHTS)
    assert score.value == pytest.approx((0.5 * 1.0 + 0.1 * 0.4) / 0.6)


def test_a_component_without_a_value_makes_the_score_none_with_its_reason() -> None:
    score = compose((part("task", None), part("conduct", 1.0)), WEIGHTS)
    assert (score.value, score.passed, score.reason) == (None, None, "task: why")


def test_a_component_that_is_on_and_missing_makes_the_score_none() -> None:
    assert compose((part("task", 1.0),), WEIGHTS).reason == "conduct: not scored"
    assert compose((), {}).value is None


def test_a_closed_gate_is_zero_whatever_the_rest() -> None:
    leak = item(0.0, closes_gate=True)
    score = compose((part("task", 1.0, leak), part("conduct", 1.0)), WEIGHTS)
    assert (score.value, score.gate, score.passed) == (0.0, 0.0, False)


def test_a_failed_critical_item_caps_the_checklist_and_fails_the_conversation() -> None:
    items = (item(0.0, critical=True), *[item(1.0)] * 9)
    assert checklist_value(items)[0] == 0.40
    score = compose((part("task", 0.9, *items), part("conduct", 1.0)), WEIGHTS)
    assert score.passed is False


def test_items_that_are_off_count_for_nothing() -> None:
    assert checklist_value((item(1.0), item(None, is_on=False, critical=True)))[0] == 1.0
    assert checklist_value((item(None, is_on=False),)) == (None, "no items")


def test_an_item_that_failed_to_be_measured_makes_the_checklist_none() -> None:
    assert checklist_value((item(1.0), item(None))) == (None, "i: r")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.001, 1.001, -1.0, 1.7])
def test_numbers_outside_zero_to_one_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        item(value)


@given(st.lists(st.tuples(UNIT, st.floats(0.01, 10), st.booleans()), min_size=1, max_size=8))
def test_the_checklist_stays_between_its_items(rows: list[tuple[float, float, bool]]) -> None:
    items = tuple(item(value, weight=weight, critical=critical) for value, weight, critical in rows)
    value, _ = checklist_value(items)
    assert value is not None
    lowest, highest = min(row[0] for row in rows), max(row[0] for row in rows)
    assert min(lowest, 0.4) - 1e-9 <= value <= highest + 1e-9


@given(UNIT, UNIT)
def test_passed_needs_half_of_the_score(task: float, conduct: float) -> None:
    score = compose((part("task", task), part("conduct", conduct)), WEIGHTS)
    assert score.value is not None
    assert score.passed == (score.value >= 0.5)


def test_what_is_unknown_of_one_judgement_is_unknown_of_two() -> None:
    known = JudgeUsage(calls=1, prompt_tokens=10, completion_tokens=2, cost=0.5)
    assert known + known == JudgeUsage(calls=2, prompt_tokens=20, completion_tokens=4, cost=1.0)
    assert known + JudgeUsage(calls=3) == JudgeUsage(calls=4)
