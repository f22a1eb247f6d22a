"""Trends as drawings: what stands where, what breaks a line, and the same in words."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.web.trend import Trend, TrendPoint, draw, interval, sparkline, wilson
from tests.web.examples import INCIDENT, T0

share = st.floats(0.0, 1.0)


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def point(number: int, value: float | None, *, epoch: str = "e1", **changes: object) -> TrendPoint:
    of_check = TrendPoint(
        check_id=f"k{number}", at=at(4 * number), epoch=epoch, status="healthy", value=value, wanted=0.7
    )
    return replace(of_check, **changes)  # type: ignore[arg-type]


def drawn(*points: TrendPoint, incidents: tuple[object, ...] = ()) -> Trend:
    trend = draw(points, incidents, now=at(100), of="averages")  # type: ignore[arg-type]
    assert trend is not None
    return trend


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.e-]+) ([\d.e-]+)", path)]


@pytest.mark.parametrize("values", [[], [0.7], [None, 0.7, None]])
def test_fewer_than_two_values_make_no_trend(values: list[float | None]) -> None:
    points = [point(number, value) for number, value in enumerate(values)]
    assert draw(points, (), now=T0, of="averages") is None


@given(st.lists(st.tuples(share, share, share), min_size=2, max_size=20))
def test_everything_drawn_stays_in_its_frame_and_higher_values_stand_higher(
    values: list[tuple[float, float, float]],
) -> None:
    points = [
        point(number, value, low=min(value, other), high=max(value, other), baseline=baseline)
        for number, (value, other, baseline) in enumerate(values)
    ]
    trend = drawn(*points)
    found = [(dot.x, dot.y) for dot in trend.dots] + places(trend.band + trend.baseline + trend.wanted)
    assert all(0 <= x <= 100 and -0.01 <= y <= 100.01 for x, y in found)
    for (low, _, _), lower in zip(values, trend.dots, strict=True):
        for (high, _, _), upper in zip(values, trend.dots, strict=True):
            assert low >= high or lower.y >= upper.y


def test_what_is_below_what_is_wanted_is_marked() -> None:
    trend = drawn(point(0, 0.9), point(1, 0.69), point(2, 0.7))
    assert [dot.is_below for dot in trend.dots] == [False, True, False]
    assert trend.text == "3 averages from 0.69 to 0.90, the newest 0.70, 1 of them below 0.70"


def test_checks_stand_at_their_times_and_not_one_beside_the_other() -> None:
    trend = drawn(point(0, 0.8), point(1, 0.8), point(4, 0.8))
    steps = [right.x - left.x for left, right in pairwise(trend.dots)]
    assert steps[1] == pytest.approx(3 * steps[0], abs=0.05)


def test_a_line_breaks_where_an_epoch_begins_and_the_place_is_marked() -> None:
    trend = drawn(point(0, 0.8), point(1, 0.8), point(2, 0.5, epoch="e2"), point(3, 0.5, epoch="e2"))
    assert trend.line.count("M") == 2
    assert trend.epochs == (trend.dots[2].x,)
    assert trend.text.endswith("; 2 epochs, which do not compare")


def test_a_line_breaks_where_nothing_was_measured_and_the_check_is_marked() -> None:
    trend = drawn(point(0, 0.8), point(1, 0.8), point(2, None), point(3, 0.8), point(4, 0.8))
    assert trend.line.count("M") == 2
    assert len(trend.dots) == 4
    assert len(trend.unmeasured) == 1
    assert trend.dots[1].x < trend.unmeasured[0] < trend.dots[2].x


def test_a_baseline_is_drawn_only_where_one_holds() -> None:
    trend = drawn(point(0, 0.8), point(1, 0.8), point(2, 0.8, baseline=0.75), point(3, 0.8, baseline=0.75))
    assert [x for x, _ in places(trend.baseline)] == [trend.dots[2].x, trend.dots[3].x]
    assert drawn(point(0, 0.8), point(1, 0.8)).baseline == ""


def test_a_band_runs_along_the_upper_ends_and_back_along_the_lower_ones() -> None:
    trend = drawn(point(0, 0.8, low=0.7, high=0.9), point(1, 0.8, low=0.75, high=0.85))
    corners = places(trend.band)
    assert trend.band.endswith("Z")
    assert [x for x, _ in corners] == [corners[0][0], corners[1][0], corners[1][0], corners[0][0]]
    assert corners[0][1] < corners[1][1] < corners[2][1] < corners[3][1]
    assert drawn(point(0, 0.8), point(1, 0.8)).band == ""


def test_incidents_last_from_their_opening_to_their_end_or_the_right_edge() -> None:
    points = [point(number, 0.8) for number in range(4)]
    over = replace(INCIDENT, id="over", opened_at=at(4), closed_at=at(8))
    before = replace(INCIDENT, id="before", opened_at=at(-9), closed_at=at(-1))
    trend = drawn(*points, incidents=(replace(INCIDENT, opened_at=at(8)), over, before))
    still, ended = trend.spans
    assert (still.is_open, ended.is_open) == (True, False)
    assert ended.x == trend.dots[1].x
    assert ended.x + ended.width == pytest.approx(trend.dots[2].x)
    assert still.x + still.width == pytest.approx(99.0)


def test_an_incident_begins_with_the_check_that_opened_it() -> None:
    """It opens when that check ends, which may be after the last one on the drawing began."""
    points = [point(number, 0.8) for number in range(3)]
    opened = replace(INCIDENT, opened_at=at(9), opened_by_check=points[-1].check_id)
    (span,) = drawn(*points, incidents=(opened,)).spans
    assert span.begins_at == points[-1].at
    assert span.x == drawn(*points).dots[-1].x


def test_checks_of_one_moment_can_be_drawn() -> None:
    assert drawn(point(0, 0.8), point(0, 0.6)).dots


@pytest.mark.parametrize(
    ("mean", "error", "bounds"),
    [
        (0.5, 0.1, (0.304, 0.696)),
        (0.95, 0.1, (0.754, 1.0)),
        (0.01, 0.1, (0.0, 0.206)),
        (None, 0.1, (None, None)),
        (0.5, None, (None, None)),
    ],
)
def test_an_interval_is_the_mean_and_196_standard_errors_within_0_and_1(
    mean: float | None, error: float | None, bounds: tuple[float | None, float | None]
) -> None:
    assert interval(mean, error) == pytest.approx(bounds)


def test_shares_have_wilsons_interval_and_none_without_trials() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I: 0/20, and 81/263
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-4)
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-4)
    assert wilson(0, 0) == (None, None)


def test_a_sparkline_lifts_where_nothing_was_measured() -> None:
    assert sparkline([1.0, 0.0]) == "M2 2L98 18"
    assert sparkline([0.5, 0.5, None, 0.5, 0.5]).count("M") == 2
    assert sparkline([0.5]) == ""


def test_a_sparkline_fills_the_bounds_that_it_is_given() -> None:
    assert sparkline([0.8, 0.6], 0.6, 0.8) == "M2 2L98 18"
