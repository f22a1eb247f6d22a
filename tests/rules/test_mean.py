"""The rule `mean` as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.check import CheckStatus, CheckSummary
from monitor.rules.mean import MeanPolicy, judge_mean, status_of
from monitor.verdict import Finding

LITERAL = MeanPolicy(threshold=0.7)
TWO_OF_THREE = MeanPolicy(threshold=0.7, failing_checks=2, window_checks=3)


def summary(mean: float | None, valid: int = 10) -> CheckSummary:
    return CheckSummary(
        planned=10,
        valid=valid,
        mean=mean,
        mean_scored=mean,
        success_rate=None,
        average_turns=None,
        outcomes={},
        intents=(),
    )


@pytest.mark.parametrize(
    ("mean", "valid", "status"),
    [
        (0.7, 10, CheckStatus.HEALTHY),
        (0.699, 10, CheckStatus.DEGRADED),
        (0.9, 8, CheckStatus.HEALTHY),
        (0.9, 7, CheckStatus.INCONCLUSIVE),
        (0.1, 7, CheckStatus.INCONCLUSIVE),
        (None, 10, CheckStatus.INCONCLUSIVE),
    ],
)
def test_a_check_says_by_itself(mean: float | None, valid: int, status: CheckStatus) -> None:
    assert status_of(summary(mean, valid), LITERAL)[0] is status


@pytest.mark.parametrize(
    ("means", "policy", "finding"),
    [
        ([0.69], LITERAL, Finding.BREACH),
        ([0.7], LITERAL, Finding.HOLD),
        ([0.7, 0.7], LITERAL, Finding.RECOVERED),
        ([0.7, 0.6], LITERAL, Finding.HOLD),
        ([0.6], TWO_OF_THREE, Finding.HOLD),
        ([0.6, 0.8, 0.6], TWO_OF_THREE, Finding.BREACH),
        ([0.6, 0.8, 0.8, 0.6], TWO_OF_THREE, Finding.HOLD),
        ([0.8, 0.6, 0.6], TWO_OF_THREE, Finding.HOLD),
        ([0.8, 0.8, 0.6], TWO_OF_THREE, Finding.RECOVERED),
    ],
)
def test_the_finding_on_means_newest_first(means: list[float], policy: MeanPolicy, finding: Finding) -> None:
    assert judge_mean("s/overall", summary(means[0]), means[1:], policy).finding is finding


def test_too_few_valid_conversations_say_nothing() -> None:
    verdict = judge_mean("s/overall", summary(0.1, valid=7), [0.1, 0.1], LITERAL)
    assert verdict.finding is Finding.UNKNOWN
    assert "7 of 10 conversations are valid, 80% are needed" in verdict.reason


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.integers(1, 4), st.integers(1, 4))
def test_a_check_at_the_threshold_or_above_is_never_a_breach(means: list[float], k: int, n: int) -> None:
    policy = MeanPolicy(threshold=0.5, failing_checks=min(k, n), window_checks=n)
    finding = judge_mean("s/overall", summary(means[0]), means[1:], policy).finding
    assert finding is not Finding.BREACH if means[0] >= 0.5 else finding is not Finding.RECOVERED
