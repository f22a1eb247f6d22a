"""What can be found in a suite of some size is what the rules do find."""

from __future__ import annotations

import pytest

from monitor.rules.decide import decide
from monitor.rules.detectable import failures_to_tell, quality_margin, regression_drop, why_quality_cannot
from monitor.rules.memory import Memory
from monitor.rules.policy import IntentPolicy, QualityPolicy, RegressionPolicy, RoundsPolicy, RulesPolicy
from monitor.verdict import Finding
from tests.rules.examples import finding, steady


@pytest.mark.parametrize("rounds", [1, 2, 3, 8])
@pytest.mark.parametrize("intents", [1, 2, 4])
def test_a_suite_is_refused_just_when_failing_altogether_would_be_no_breach(rounds: int, intents: int) -> None:
    rules = RulesPolicy(rounds=RoundsPolicy(least=rounds, most=rounds))
    why = why_quality_cannot([1.0] * intents, rules)
    found = finding(decide("s", steady(0.0, intents=intents, rounds=rounds), Memory(), rules), "quality")
    assert (why is None) == (found is Finding.BREACH)


def test_the_arithmetic_is_told() -> None:
    why = why_quality_cannot([1.0], RulesPolicy(rounds=RoundsPolicy(least=1, most=1)))
    assert why is not None
    assert "1 x 1 conversations" in why
    assert "2.33 x 0.43 = 1.01" in why


def test_without_the_rule_nothing_is_refused() -> None:
    assert why_quality_cannot([1.0], RulesPolicy(quality=None, rounds=RoundsPolicy(least=1, most=1))) is None


def test_more_rounds_find_smaller_falls() -> None:
    margins = [quality_margin([1.0] * 20, rounds, QualityPolicy(), 0.005) for rounds in (1, 4, 20)]
    falls = [regression_drop([1.0] * 20, rounds, RegressionPolicy(), 6, 0.005) for rounds in (1, 4, 20)]
    assert margins == sorted(margins, reverse=True)
    assert falls == sorted(falls, reverse=True)
    assert falls[-1] > RegressionPolicy().drop / 2


@pytest.mark.parametrize(("share", "failures"), [(1.0, 3), (0.5, 15), (0.2, 50)])
def test_failures_in_a_row_until_an_intent_is_told_of(share: float, failures: int) -> None:
    assert failures_to_tell(share, IntentPolicy()) == failures
