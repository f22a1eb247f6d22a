"""The token bucket, on a clock that is set by hand."""

from monitor.assistants.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_requests_are_spread_at_the_rate() -> None:
    pace = Pace(0.5, Clock())
    assert [pace.reserve() for _ in range(4)] == [0.0, 2.0, 4.0, 6.0]


def test_a_quiet_second_saves_up_one_seconds_worth_and_no_more() -> None:
    clock = Clock()
    pace = Pace(4.0, clock)
    clock.now += 3600.0
    assert [pace.reserve() for _ in range(6)] == [0.0, 0.0, 0.0, 0.0, 0.25, 0.5]


def test_a_place_that_would_come_too_late_is_not_taken() -> None:
    pace = Pace(1.0, Clock())
    assert pace.reserve() == 0.0
    assert pace.reserve(within_seconds=0.5) is None
    assert pace.reserve(within_seconds=1.0) == 1.0


def test_the_wait_shrinks_with_the_clock() -> None:
    clock = Clock()
    pace = Pace(1.0, clock)
    pace.reserve()
    clock.now += 0.75
    assert pace.reserve() == 0.25
