"""Errors of means against simulation."""

from __future__ import annotations

import math
import random
from statistics import fmean, pstdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from monitor.stats import (
    BernoulliSteps,
    bernoulli_cusum,
    between_variance,
    clustered_standard_error,
    gaussian_drop,
    shrunk_variance,
    stratified_standard_error,
    wilson_bounds,
)

UNIT = st.floats(min_value=0, max_value=1)


def test_values_of_zero_and_one_have_the_variance_at_jeffreys_posterior_mean() -> None:
    p = (3 + 0.5) / (4 + 1)
    assert shrunk_variance([1, 1, 0, 1]) == pytest.approx(p * (1 - p))


@given(st.lists(UNIT, min_size=1, max_size=20))
def test_no_sample_passes_for_certain_and_none_varies_more_than_a_coin(values: list[float]) -> None:
    assert 0 < shrunk_variance(values) <= 0.25 + 1e-12


def test_the_variance_comes_near_the_samples_own_as_it_grows() -> None:
    values = [0.2, 0.6] * 500
    assert shrunk_variance(values) == pytest.approx(0.04, abs=0.001)


def test_the_standard_error_is_the_spread_of_means_that_are_measured_again() -> None:
    draw = random.Random(7)
    chances, weights, n = (0.5, 0.7, 0.4), (1.0, 2.0, 1.0), 40

    def measured() -> list[tuple[float, list[float]]]:
        return [(w, [float(draw.random() < p) for _ in range(n)]) for w, p in zip(weights, chances, strict=True)]

    runs = [measured() for _ in range(2000)]
    means = [math.fsum(w * fmean(values) for w, values in run) / sum(weights) for run in runs]
    errors = [stratified_standard_error(run) or 0.0 for run in runs]
    assert fmean(errors) == pytest.approx(pstdev(means), rel=0.05)


def test_strata_without_values_are_left_out() -> None:
    assert stratified_standard_error([(1.0, [0.5, 1.0]), (5.0, [])]) == stratified_standard_error([(3.0, [0.5, 1.0])])


def test_nothing_measured_has_no_error() -> None:
    assert stratified_standard_error([(1.0, [])]) is None


def test_the_clustered_error_is_the_spread_of_means_over_other_intents() -> None:
    draw = np.random.default_rng(3)
    samples = draw.beta(2, 1, size=(4000, 25))
    errors = [clustered_standard_error([(1.0, float(value)) for value in sample]) or 0.0 for sample in samples[:200]]
    assert fmean(errors) == pytest.approx(float(samples.mean(axis=1).std()), rel=0.05)


def test_one_cluster_has_no_clustered_error() -> None:
    assert clustered_standard_error([(1.0, 0.5)]) is None


@pytest.mark.parametrize(("spread", "most"), [(0.03, 1.1), (0.01, 1.6), (0.005, 5.0)])
def test_the_variance_between_checks_is_found_and_on_the_average_never_too_low(spread: float, most: float) -> None:
    draw = np.random.default_rng(5)
    own = 0.02
    found = []
    for _ in range(400):
        values = 0.8 + draw.normal(0, math.hypot(own, spread), size=42)
        found.append(between_variance([[(float(value), own**2) for value in values]]) or 0.0)
    assert 1.0 <= fmean(found) / spread**2 <= most
    assert min(found) > 0


def test_a_difference_between_groups_is_no_variance_between_checks() -> None:
    draw = np.random.default_rng(6)
    groups = [[(float(v), 1e-4) for v in centre + draw.normal(0, 0.01, size=400)] for centre in (0.3, 0.9)]
    assert (between_variance(groups) or 0.0) < 2e-5


def test_measured_once_nothing_is_known_of_the_variance_between_checks() -> None:
    assert between_variance([[(0.5, 0.01)], [(0.7, 0.01)]]) is None


def test_far_less_spread_than_by_chance_is_believed_to_be_hardly_any() -> None:
    found = between_variance([[(0.5, 1.0)] * 4000])
    assert found is not None
    assert 0 < found < 0.05


def test_the_mean_of_a_cut_normal_is_scipys() -> None:
    values = [0.79, 0.83, 0.80, 0.81]
    variance = 0.0004
    weight = 4 / variance - 1 / variance
    estimate = (sum((v - fmean(values)) ** 2 for v in values) / variance - 3) / weight
    error = math.sqrt(6) / weight
    expected = scipy_stats.truncnorm.mean(-estimate / error, math.inf, loc=estimate, scale=error)
    assert between_variance([[(v, variance) for v in values]]) == pytest.approx(expected)


@given(st.integers(0, 60), st.integers(1, 60))
def test_wilsons_bounds_are_scipys(successes: int, trials: int) -> None:
    successes = min(successes, trials)
    interval = scipy_stats.binomtest(successes, trials).proportion_ci(confidence_level=0.98, method="wilson")
    z = float(scipy_stats.norm.ppf(0.99))
    assert wilson_bounds(successes, trials, z) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_without_trials_a_share_may_be_anything() -> None:
    assert wilson_bounds(0, 0, 2.0) == (0.0, 1.0)


@given(UNIT, UNIT, st.floats(0.001, 0.2))
def test_a_gaussian_step_is_the_log_ratio_of_two_normal_densities(value: float, reference: float, drop: float) -> None:
    variance = 0.0004
    fallen = scipy_stats.norm.logpdf(value, reference - drop, math.sqrt(variance))
    healthy = scipy_stats.norm.logpdf(value, reference, math.sqrt(variance))
    step = gaussian_drop(value, variance, reference=reference, drop=drop)
    assert step == pytest.approx(float(fallen - healthy), rel=1e-6, abs=1e-6)


@given(st.lists(st.booleans(), max_size=60))
def test_a_bernoulli_cusum_is_the_sum_less_its_lowest_so_far(outcomes: list[bool]) -> None:
    steps = BernoulliSteps.between(0.8, 0.4)
    sums = [0.0]
    for passed in outcomes:
        sums.append(sums[-1] + (math.log(0.4 / 0.8) if passed else math.log(0.6 / 0.2)))
    assert bernoulli_cusum(0.0, outcomes, steps) == pytest.approx(sums[-1] - min(sums), abs=1e-9)


def test_a_healthy_intent_takes_as_many_conversations_to_a_false_alarm_as_walds_bound_says() -> None:
    draw, steps, limit = random.Random(11), BernoulliSteps.between(0.8, 0.4), 4.0
    lengths = []
    for _ in range(300):
        level, length = 0.0, 0
        while level <= limit:
            level, length = bernoulli_cusum(level, [draw.random() < 0.8], steps), length + 1
        lengths.append(length)
    assert fmean(lengths) > math.exp(limit)


@pytest.mark.parametrize(("p0", "p1"), [(0.5, 0.5), (0.2, 0.4), (1.0, 0.5), (0.5, 0.0)])
def test_shares_that_cannot_be_told_apart_are_refused(p0: float, p1: float) -> None:
    with pytest.raises(ValueError, match="0 < p1 < p0 < 1"):
        BernoulliSteps.between(p0, p1)
