"""Slots: tables of the nights on which clocks change, and properties."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.schedule import (
    EPOCH,
    SECOND_PASS,
    Cron,
    Every,
    Schedule,
    due_slot,
    latest_slot,
    longest_pause,
    next_slot,
    upcoming,
)

FOUR_HOURS = Every(14400)
FIVE_MINUTES = Every(300)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

ZONES = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana", "America/Toronto"]
EXPRESSIONS = ["30 2 * * *", "0 */4 * * *", "0 * * * *", "*/20 * * * *", "45 1 * * MON", "0 0 1 * *", "15,45 0-3 * * *"]
SCHEDULES = st.one_of(
    st.builds(Every, st.sampled_from([1, 60, 299.5, 3600, 14400, 86400])),
    st.builds(Cron, st.sampled_from(EXPRESSIONS), st.sampled_from(ZONES)),
)
TIMES = st.one_of(
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
    # The nights on which the clocks of these zones changed.
    st.sampled_from(
        ["2026-03-28T20", "2026-10-24T20", "2026-04-04T10", "2026-10-03T10", "2011-12-30T00", "2012-03-31T10"]
    )
    .map(lambda text: datetime.fromisoformat(f"{text}:00+00:00"))
    .flatmap(lambda night: st.timedeltas(timedelta(0), timedelta(hours=16)).map(lambda passed: night + passed)),
)


def local(schedule: Cron, after: str, count: int) -> list[str]:
    slots = upcoming(schedule, datetime.fromisoformat(after), count)
    return [slot.astimezone(ZoneInfo(schedule.timezone)).strftime("%m-%d %H:%M%z") for slot in slots]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "slots"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00+00:00", ["03-29 03:00+0200", "03-30 02:30+0200"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00+00:00", ["10-25 02:30+0200", "10-26 02:30+0100"]),
        ("0 */2 * * *", "Europe/Berlin", "2026-10-24T22:30+00:00", ["10-25 02:00+0200", "10-25 04:00+0100"]),
        ("0 0 * * *", "America/Havana", "2026-10-31T12:00+00:00", ["11-01 00:00-0400", "11-02 00:00-0500"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00+00:00", ["04-05 01:45+1100", "04-06 01:45+1030"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00+00:00", ["10-04 02:30+1100", "10-05 02:15+1100"]),
        ("30 3 * * *", "Pacific/Apia", "2019-09-28T00:00+00:00", ["09-29 04:00+1400", "09-30 03:30+1400"]),
        ("45 23 * * *", "America/Toronto", "1919-03-30T12:00+00:00", ["03-31 00:30-0400", "03-31 23:45-0400"]),
    ],
)
def test_a_local_time_comes_once_a_day(expression: str, zone: str, after: str, slots: list[str]) -> None:
    assert local(Cron(expression, zone), after, 2) == slots


def test_a_date_that_a_zone_skipped_has_no_slot() -> None:
    found = local(Cron("30 2 * * *", "Pacific/Apia"), "2011-12-28T20:00+00:00", 2)
    assert found == ["12-29 02:30-1000", "12-31 02:30+1400"]


def test_an_expression_for_every_hour_goes_on_through_the_hour_that_comes_twice() -> None:
    found = local(Cron("0 * * * *", "Europe/Berlin"), "2026-10-24T23:30+00:00", 4)
    assert found == ["10-25 02:00+0200", "10-25 02:00+0100", "10-25 03:00+0100", "10-25 04:00+0100"]
    found = local(Cron("*/15 * * * *", "Australia/Lord_Howe"), "2026-04-04T14:40+00:00", 4)
    assert found == ["04-05 01:45+1100", "04-05 01:30+1030", "04-05 01:45+1030", "04-05 02:00+1030"]


def test_intervals_count_from_the_epoch_whatever_the_start() -> None:
    assert next_slot(FOUR_HOURS, NOON + timedelta(minutes=17)) == NOON + 4 * HOUR
    assert latest_slot(FOUR_HOURS, NOON + timedelta(minutes=17)) == NOON
    assert latest_slot(FOUR_HOURS, NOON) == NOON


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "* * * * * *", "61 * * * *", "0 0 30 2 *", "a b c d e", "*/0 * * * *"]
)
def test_an_expression_that_makes_no_sense_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="cron expression"):
        Cron(expression)


@pytest.mark.parametrize("zone", ["Mars/Base", "", "../etc/passwd", "Europe"])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="no such time zone"):
        Cron("0 0 * * *", zone)


@pytest.mark.parametrize("seconds", [0, -1, 0.5, float("nan"), float("inf"), 1e12])
def test_an_interval_that_makes_no_sense_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="an interval lies between"):
        Every(seconds)


def test_times_without_a_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        next_slot(FOUR_HOURS, datetime(2026, 1, 1))


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (None, NOON + HOUR, NOON),
        (NOON, NOON + HOUR, None),
        (NOON, NOON + 4 * HOUR, NOON + 4 * HOUR),
        (NOON, NOON + 9 * HOUR, NOON + 8 * HOUR),
        (NOON, NOON + timedelta(seconds=-2), None),
        (NOON, NOON - HOUR, NOON - 4 * HOUR + SECOND_PASS),
        (NOON, NOON - 5 * HOUR, NOON - 8 * HOUR + SECOND_PASS),
        (datetime(2036, 1, 1, tzinfo=UTC), NOON + HOUR, NOON + SECOND_PASS),
    ],
    ids=["first start", "done", "next", "two missed", "clock stepped", "back 1 h", "back 5 h", "back 10 years"],
)
def test_what_is_due(last: datetime | None, now: datetime, due: datetime | None) -> None:
    assert due_slot(FOUR_HOURS, last, now) == due


@pytest.mark.parametrize("schedule", [FIVE_MINUTES, Cron("* * * * *", "Pacific/Apia"), Cron("0 0 29 2 *")])
def test_ten_years_forward_make_one_slot(schedule: Schedule) -> None:
    last = latest_slot(schedule, NOON)
    later = NOON + timedelta(days=3653)
    due = due_slot(schedule, last, later)
    assert due == latest_slot(schedule, later)
    assert due_slot(schedule, due, later) is None


def test_a_clock_set_back_by_an_hour_stops_nothing_and_repeats_nothing() -> None:
    seen = {NOON - n * timedelta(minutes=5) for n in range(24)}
    last, runs = NOON, []
    for minute in range(-60, 30):
        now = NOON + timedelta(minutes=minute)
        due = due_slot(FIVE_MINUTES, last, now)
        if due is not None and due not in seen:
            seen.add(due)
            runs.append(now)
            last = max(last, due)
    gaps = [after - before for before, after in pairwise(runs)]
    assert runs[0] == NOON - HOUR
    assert max(gaps) <= timedelta(minutes=10)


@given(SCHEDULES, TIMES)
def test_the_next_slot_is_later_and_nothing_lies_between(schedule: Schedule, at: datetime) -> None:
    following = next_slot(schedule, at)
    assert following > at
    assert latest_slot(schedule, following) == following
    assert next_slot(schedule, following - timedelta(microseconds=1)) == following
    assert latest_slot(schedule, following - timedelta(microseconds=1)) == latest_slot(schedule, at) <= at


@given(SCHEDULES, TIMES)
def test_the_slot_after_the_latest_is_the_next(schedule: Schedule, at: datetime) -> None:
    assert next_slot(schedule, latest_slot(schedule, at)) == next_slot(schedule, at)


@given(SCHEDULES, TIMES, st.timedeltas(timedelta(0), timedelta(days=4000)))
def test_however_long_the_pause_one_slot_is_due_and_then_none(
    schedule: Schedule, last: datetime, pause: timedelta
) -> None:
    now = last + pause
    due = due_slot(schedule, latest_slot(schedule, last), now)
    assert due in (None, latest_slot(schedule, now))
    assert due_slot(schedule, due or latest_slot(schedule, last), now) is None


@given(SCHEDULES, TIMES, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_a_clock_set_back_never_makes_a_slot_due_under_its_old_name(
    schedule: Schedule, last: datetime, back: timedelta
) -> None:
    last = latest_slot(schedule, last)
    due = due_slot(schedule, last, last - back)
    assert due is None or (due <= last and latest_slot(schedule, due) == due - SECOND_PASS)


@given(st.integers(0, 10**9))
def test_every_slot_is_on_the_grid(seconds: int) -> None:
    slot = next_slot(Every(299.5), EPOCH + timedelta(seconds=seconds))
    assert (slot - EPOCH) % timedelta(seconds=299.5) == timedelta(0)


@given(st.text(alphabet="0123456789*/,-L#W MONFRI", max_size=25))
def test_any_text_is_an_expression_or_a_value_error(text: str) -> None:
    try:
        assert next_slot(Cron(text), NOON) > NOON
    except ValueError as exc:
        assert "cron expression" in str(exc)


@pytest.mark.parametrize(
    ("schedule", "pause"),
    [
        (FOUR_HOURS, timedelta(hours=4)),
        (Cron("*/20 * * * *"), timedelta(minutes=20)),
        (Cron("*/5 9-17 * * MON-FRI"), timedelta(days=2, hours=15, minutes=5)),
        (Cron("0 3 * * *", "Europe/Berlin"), timedelta(days=1)),
        (Cron("0 0 1 * *"), timedelta(days=31)),
    ],
)
def test_the_longest_pause_is_found_whatever_the_pattern(schedule: Schedule, pause: timedelta) -> None:
    assert longest_pause(schedule, NOON) == pause


@given(SCHEDULES, TIMES)
def test_no_two_slots_of_the_next_days_are_further_apart_than_the_longest_pause(
    schedule: Schedule, after: datetime
) -> None:
    slots = [slot for slot in upcoming(schedule, after, 8) if slot <= after + timedelta(days=8)]
    assert all(later - earlier <= longest_pause(schedule, after) for earlier, later in pairwise(slots))
