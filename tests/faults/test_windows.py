"""Days on which clocks are set: what is due by local time, by interval, and when nobody is to be told.

The two days of the year in three zones: Berlin moves by an hour, Lord Howe by half an hour, and Apia, which has none of
them any more, left out 30 December 2011 whole.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.routes import alert_policy
from monitor.maintenance import Again, Maintenance, planned_window
from monitor.schedule import Cron, Every, due_slot
from tests.config.samples import CONFIG, loaded

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

NIGHTS = [
    # zone, the nominal start, when two hours of quiet begin and end: the day before, that day, the day after
    (
        "Europe/Berlin",
        "02:30",
        "2026-03-28",
        ["02:30+0100 04:30+0100", "03:00+0200 05:00+0200", "02:30+0200 04:30+0200"],
    ),
    (
        "Europe/Berlin",
        "02:30",
        "2026-10-24",
        ["02:30+0200 04:30+0200", "02:30+0200 03:30+0100", "02:30+0100 04:30+0100"],
    ),
    (
        "Australia/Lord_Howe",
        "02:15",
        "2026-10-03",
        ["02:15+1030 04:15+1030", "02:30+1100 04:30+1100", "02:15+1100 04:15+1100"],
    ),
    (
        "Australia/Lord_Howe",
        "01:45",
        "2026-04-04",
        ["01:45+1100 03:45+1100", "01:45+1100 03:15+1030", "01:45+1030 03:45+1030"],
    ),
    ("Pacific/Apia", "02:30", "2011-12-29", ["02:30-1000 04:30-1000", "02:30+1400 04:30+1400"]),
    (
        "Pacific/Apia",
        "03:30",
        "2012-03-31",
        ["03:30+1400 05:30+1400", "03:30+1400 04:30+1300", "03:30+1300 05:30+1300"],
    ),
    (
        "Pacific/Apia",
        "03:30",
        "2012-09-29",
        ["03:30+1300 05:30+1300", "04:00+1400 06:00+1400", "03:30+1400 05:30+1400"],
    ),
]


def nightly(zone: str, at: str) -> Maintenance:
    hour, minute = at.split(":")
    cron = Cron(f"{int(minute)} {int(hour)} * * *", zone)
    return Maintenance(name="nightly", scopes=("shop/*",), when=Again(cron=cron, lasting=2 * HOUR))


def times_held(planned: Maintenance, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """From when to when somebody who asks every minute is told that a window holds."""
    held, at = [], start
    begun: datetime | None = None
    while at <= end:
        holds = planned_window([planned], "shop/overall", at) is not None
        if holds and begun is None:
            begun = at
        if not holds and begun is not None:
            held.append((begun, at))
            begun = None
        at += MINUTE
    return held


@pytest.mark.parametrize(("zone", "at", "first", "expected"), NIGHTS)
def test_a_maintenance_window_holds_for_its_time_once_a_day_whatever_clocks_do(
    zone: str, at: str, first: str, expected: list[str]
) -> None:
    """T2. It begins at its nominal time, at the end of a gap, and not on a day that there is not."""
    start = datetime.fromisoformat(f"{first}T00:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    held = times_held(nightly(zone, at), start, start + len(expected) * DAY)
    shown = [" ".join(t.astimezone(ZoneInfo(zone)).strftime("%H:%M%z") for t in window) for window in held]
    assert shown == expected
    assert {later - earlier for earlier, later in held} == {2 * HOUR}


def runs(schedule: Every | Cron, start: datetime, end: datetime) -> list[datetime]:
    """The slots that a daemon which looks every ten minutes runs."""
    slots: list[datetime] = []
    at = start
    while at <= end:
        due = due_slot(schedule, slots[-1] if slots else start, at)
        slots += [due] if due is not None else []
        at += 10 * MINUTE
    return slots


@pytest.mark.parametrize(("zone", "at", "first", "expected"), NIGHTS)
def test_a_nominal_local_time_is_run_once_a_day(zone: str, at: str, first: str, expected: list[str]) -> None:
    """T2. Neither left out in a gap nor run again when the hour comes a second time."""
    start = datetime.fromisoformat(f"{first}T00:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    planned = nightly(zone, at)
    assert isinstance(planned.when, Again)
    slots = runs(planned.when.cron, start, start + len(expected) * DAY)
    shown = [slot.astimezone(ZoneInfo(zone)).strftime("%H:%M%z") for slot in slots]
    assert shown == [window.split()[0] for window in expected]
    assert max(Counter(slot.astimezone(ZoneInfo(zone)).date() for slot in slots).values()) == 1


@pytest.mark.parametrize(("zone", "at", "first", "expected"), NIGHTS)
def test_intervals_do_not_see_clocks_being_set(zone: str, at: str, first: str, expected: list[str]) -> None:
    """T2. Every four hours stays every four hours."""
    start = datetime.fromisoformat(f"{first}T00:00").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    slots = runs(Every(4 * 3600), start, start + len(expected) * DAY)
    assert {later - earlier for earlier, later in pairwise(slots)} == {4 * HOUR}


@given(
    zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"]),
    cron=st.sampled_from(["30 2 * * *", "0 22 * * 1-5", "15 * * * *", "45 1 1 * *", "0 */6 * * *"]),
    now=st.datetimes(datetime(2011, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    minutes=st.integers(1, 60),
)
def test_what_is_announced_as_next_holds_then_and_not_before(zone: str, cron: str, now: datetime, minutes: int) -> None:
    """T2. `maintenance list` and the alert machine mean the same times."""
    planned = Maintenance(name="m", scopes=("*",), when=Again(cron=Cron(cron, zone), lasting=minutes * MINUTE))
    (window,) = planned.upcoming(now, 1)
    assert window.starts_at > now
    assert planned.holding(window.starts_at) == window
    assert planned.holding(window.ends_at - timedelta(microseconds=1)) == window
    before = planned.holding(window.starts_at - timedelta(microseconds=1))
    assert before is None or before.ends_at == window.starts_at


def test_a_window_of_the_configuration_reaches_the_alert_machine_of_its_scopes(tmp_path: Path) -> None:
    """T2. In autumn quiet begins in the first of the two hours called 02, and lasts as long as it says."""
    window = "{name: weekly, scopes: ['baseline/*'], cron: '30 2 * * 0', timezone: Europe/Berlin, for: 2h}"
    config = loaded(tmp_path, f"{CONFIG}maintenance: [{window}]\n")
    suite = config.suites["baseline"]
    policy = alert_policy(config.settings.notify, suite, "baseline/overall", maintenance=config.maintenance)
    begins = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert [policy.window(begins + shift) is not None for shift in (-MINUTE, timedelta(0), 2 * HOUR - MINUTE)] == [
        False,
        True,
        True,
    ]
    assert policy.window(begins + 2 * HOUR) is None
    other = alert_policy(config.settings.notify, suite, "other/overall", maintenance=config.maintenance)
    assert other.window(begins) is None
