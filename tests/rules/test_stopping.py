"""How many rounds a check plays, and of which intents."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.rules.memory import Memory
from monitor.rules.policy import RoundsPolicy, RulesPolicy
from monitor.rules.stopping import More, more
from tests.rules.examples import POLICY, check, drawn, intent, steady, warmed


def test_what_is_plainly_well_is_played_no_further() -> None:
    assert more(steady(0.95), Memory(), POLICY) is None


def test_what_is_near_the_threshold_is_played_on() -> None:
    assert more(steady(0.75), Memory(), POLICY) == More(rounds=4)


def test_no_more_than_the_most_rounds_are_played() -> None:
    assert more(steady(0.72, rounds=18), Memory(), POLICY) == More(rounds=2)
    assert more(steady(0.72, rounds=20), Memory(), POLICY) is None


def test_what_is_surely_bad_is_played_no_further() -> None:
    assert more(steady(0.3), Memory(), POLICY) is None


def test_an_assistant_that_is_away_is_left_alone() -> None:
    away = check(*(intent(f"i{i}", [0.0], errors=[True]) for i in range(20)))
    assert more(away, Memory(), replace(POLICY, quality=None)) is None


def test_a_fixed_number_of_rounds_stays_as_it_is() -> None:
    fixed = RulesPolicy(rounds=RoundsPolicy(least=4, most=4))
    assert more(steady(0.72), Memory(), fixed) is None


def test_a_regression_is_confirmed_by_rounds_of_its_own_once() -> None:
    memory = warmed(0.95)
    fallen = drawn(np.random.default_rng(2), 0.82, rounds=20, number=42)
    assert more(fallen, memory, POLICY) == More(rounds=10, is_confirming=True)
    assert more(replace(fallen, confirming_from=10), memory, POLICY) is None


def test_a_regression_that_is_known_is_not_confirmed_again() -> None:
    memory = replace(warmed(0.95), breached=frozenset({"regression"}))
    wanted = more(drawn(np.random.default_rng(2), 0.82, rounds=8, number=42), memory, POLICY)
    assert wanted == More(rounds=4)


def test_an_intent_that_looks_bad_is_played_on_alone() -> None:
    memory = warmed(0.95)
    evidence = steady(1.0, number=42)
    silent = replace(evidence, intents=(intent("i0", [0.0] * 4), *evidence.intents[1:]))
    wanted = more(silent, memory, POLICY)
    assert wanted == More(rounds=4, fingerprints=frozenset({"print-i0"}))


def test_an_intent_that_passed_once_is_not_suspicious_for_that() -> None:
    memory = warmed(0.95)
    evidence = steady(1.0, number=42)
    mixed = replace(evidence, intents=(intent("i0", [0.0, 1.0, 1.0, 1.0]), *evidence.intents[1:]))
    assert more(mixed, memory, POLICY) is None


def test_an_intent_alone_is_played_thirty_times_at_most() -> None:
    memory = warmed(0.95)
    evidence = steady(1.0, number=42)
    silent = replace(evidence, intents=(intent("i0", [0.0] * 30), *evidence.intents[1:]))
    assert more(silent, memory, POLICY) is None


def test_where_too_few_conversations_are_valid_no_more_are_played() -> None:
    silent = check(*(intent(f"i{i}", [None, None, None, 0.0]) for i in range(20)))
    assert more(silent, Memory(), POLICY) is None
    nearly = check(*(intent(f"i{i}", [1.0, 0.0, 1.0, None if i < 10 else 1.0]) for i in range(20)))
    assert more(nearly, Memory(), POLICY) == More(rounds=4)
