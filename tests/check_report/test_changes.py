"""Differences between measurements, and which of them are more than chance."""

from __future__ import annotations

import math
import random

import pytest

from monitor.check_report.changes import Sample, difference, sample_of, surely_moved, together, widest


def test_values_give_a_mean_and_its_error() -> None:
    sample = sample_of([0.0, 1.0, 1.0, 1.0])
    assert sample is not None
    assert (sample.mean, sample.interval[1]) == (0.75, 1.0)
    assert sample.error == pytest.approx(math.sqrt((3.5 / 5 - (3.5 / 5) ** 2) / 4))


def test_no_values_give_nothing() -> None:
    assert sample_of([]) is None


@pytest.mark.parametrize("values", [(0.4, 0.6, 0.5), (1.0, 1.0, 0.9), (0.0, 0.2)])
def test_without_the_values_the_interval_is_no_narrower(values: tuple[float, ...]) -> None:
    known = sample_of(values)
    assert known is not None
    assert widest(known.mean, len(values)).error >= known.error


def test_a_difference_is_sure_when_its_interval_leaves_out_none() -> None:
    low, high = Sample(mean=0.2, error=0.1), Sample(mean=0.9, error=0.1)
    fell = difference(low, high)
    assert fell.value == pytest.approx(-0.7)
    assert fell.is_sure
    assert fell.interval[1] == pytest.approx(-0.7 + 1.96 * math.sqrt(0.02))
    assert not difference(Sample(mean=0.8, error=0.1), high).is_sure


def test_a_mean_of_several_is_weighted_and_has_the_wobble_of_both_ends() -> None:
    parts = [(1.0, difference(Sample(mean=0.5, error=0.1), Sample(mean=0.9, error=0.0)))]
    parts.append((3.0, difference(Sample(mean=0.9, error=0.1), Sample(mean=0.9, error=0.0))))
    whole = together(parts, spread=0.02)
    assert whole is not None
    assert whole.before == pytest.approx(0.9)
    assert whole.now == pytest.approx(0.8)
    assert whole.error == pytest.approx(math.sqrt(0.025**2 + 0.075**2 + 2 * 0.02**2))


def test_nothing_together_is_nothing() -> None:
    assert together([], spread=0.0) is None


def test_of_many_that_did_not_move_hardly_ever_one_is_named() -> None:
    draw = random.Random(1)
    wrong = 0
    for _ in range(400):
        found = {
            str(n): difference(Sample(mean=0.5 + draw.gauss(0, 0.1), error=0.1), Sample(mean=0.5, error=0.0))
            for n in range(20)
        }
        wrong += bool(surely_moved(found))
    assert 0 < wrong <= 400 * 0.08


def test_what_fell_far_is_named_among_many() -> None:
    still = {str(n): difference(Sample(mean=0.9, error=0.1), Sample(mean=0.9, error=0.1)) for n in range(20)}
    fell = difference(Sample(mean=0.1, error=0.1), Sample(mean=0.9, error=0.1))
    assert surely_moved(still | {"refund": fell}) == {"refund"}
