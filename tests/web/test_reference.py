"""What the baseline says of a suite and of its intents."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.check import IntentSummary
from monitor.rules.evidence import Sums
from monitor.rules.memory import Drift, IntentMemory, Measured, Memory
from monitor.rules.policy import BaselinePolicy
from monitor.web.reference import intent_rows, reference
from tests.web.examples import SUMMARY, T0

POLICY = BaselinePolicy(armed=3, full=6)
WELL, UNMEASURED, UNWELL = SUMMARY.intents


def known(mean: float, checks: int = 3, **changes: object) -> IntentMemory:
    remembered = IntentMemory(intent_id="x", checks=checks, sums=Sums(count=10, total=10 * mean, squares=5.0))
    return replace(remembered, **changes)  # type: ignore[arg-type]


def memory(checks: int = 4, **intents: IntentMemory) -> Memory:
    spread = tuple(Measured(at=T0 + timedelta(hours=4 * n), mean=0.8, variance=0.001) for n in range(checks))
    return Memory(intents={name.replace("_", "-"): intent for name, intent in intents.items()}, spread=spread)


def test_the_reference_is_the_weighted_mean_of_just_these_intents_before() -> None:
    found = reference(memory(f_well=known(0.6), f_unwell=known(0.9)), SUMMARY.intents, POLICY)
    assert found is not None
    assert found.mean == pytest.approx((1 * 0.6 + 2 * 0.9) / 3)


def test_it_holds_after_the_check_that_armed_it() -> None:
    found = reference(memory(5, f_unwell=known(0.9)), SUMMARY.intents, POLICY)
    assert found is not None
    assert found.holds_after == T0 + timedelta(hours=8)


@pytest.mark.parametrize(
    "remembered",
    [
        None,
        memory(2, f_well=known(0.6), f_unwell=known(0.9)),
        memory(f_well=known(0.6, checks=2), f_unwell=known(0.9, checks=2)),
        memory(f_well=known(0.6)),  # a third of the weight
        memory(other=known(0.6)),  # every intent was edited
    ],
)
def test_there_is_none_before_it_is_armed_for_half_of_the_weight(remembered: Memory | None) -> None:
    assert reference(remembered, SUMMARY.intents, POLICY) is None


def test_a_fall_is_told_only_where_the_rule_has_found_one() -> None:
    fallen = replace(memory(f_unwell=known(0.9)), fall=Drift(level=9.0, since=T0))
    quiet, loud = fallen, replace(fallen, breached=frozenset({"regression"}))
    found = [reference(one, SUMMARY.intents, POLICY) for one in (quiet, loud)]
    assert [one and one.fallen_since for one in found] == [None, T0]


def intent(name: str, mean: float | None) -> IntentSummary:
    return replace(WELL, intent_id=name, mean=mean, fingerprint=name)


def test_intents_in_breach_come_first_then_the_deepest_falls_then_the_lowest_means_and_the_unmeasured_last() -> None:
    intents = [
        intent("none", None),
        intent("noisy", 0.4),
        intent("low", 0.3),
        intent("fell", 0.6),
        intent("breach", 0.9),
    ]
    remembered = memory(
        noisy=known(0.42), low=known(0.3), fell=known(0.9), breach=known(0.9, is_breached=True, since=T0)
    )
    rows = intent_rows(intents, remembered, POLICY)
    assert [row.summary.intent_id for row in rows] == ["breach", "fell", "low", "noisy", "none"]
    assert [row.since for row in rows] == [T0, None, None, None, None]


def test_a_drop_is_known_only_against_a_baseline_of_the_same_intent() -> None:
    rows = intent_rows([UNWELL, WELL, UNMEASURED], memory(f_unwell=known(0.9), f_unmeasured=known(0.5)), POLICY)
    drops = {row.summary.intent_id: row.drop for row in rows}
    assert drops == {"unwell": pytest.approx(0.7), "well": None, "unmeasured": None}


def test_without_a_memory_intents_are_ordered_by_their_means() -> None:
    assert [row.summary.intent_id for row in intent_rows(SUMMARY.intents, None, POLICY)] == [
        "unwell",
        "well",
        "unmeasured",
    ]
