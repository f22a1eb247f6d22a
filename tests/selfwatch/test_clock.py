"""How far two clocks are apart, as far as the time that asking takes lets one know."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.selfwatch.clock import skew_seconds
from tests.parties import T0


def asked(theirs: float, *, lasting: float = 2.0) -> float | None:
    """The other clock is ahead by `theirs`, and asking takes so long."""
    ours = iter((T0, T0 + timedelta(seconds=lasting)))
    return skew_seconds(lambda: next(ours), lambda: T0 + timedelta(seconds=theirs))


@pytest.mark.parametrize(("theirs", "seconds"), [(-45.0, 45.0), (0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (47.0, -45.0)])
def test_the_time_that_asking_takes_is_no_skew(theirs: float, seconds: float) -> None:
    assert asked(theirs) == seconds


def test_without_another_clock_nothing_is_said() -> None:
    assert skew_seconds(lambda: T0, lambda: None) is None
