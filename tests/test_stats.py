"""Errors of means against simulation."""

from __future__ import annotations

import math
import random
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.stats import shrunk_variance, stratified_standard_error

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
