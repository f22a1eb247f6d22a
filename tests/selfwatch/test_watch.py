"""What the monitor finds when it looks at itself, on a real database with clocks that the test moves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from monitor.check import CheckStatus
from monitor.errors import StoreUnavailable
from monitor.machine import NotificationKind, Phase
from monitor.selfwatch import EngineLook
from monitor.store import Store
from tests.keeping.away import CutStore
from tests.selfwatch.looking import HOUR, Looking

OPEN, RESOLVE = NotificationKind.OPEN, NotificationKind.RESOLVE
DULL, BAD = CheckStatus.INCONCLUSIVE, CheckStatus.DEGRADED
YEARS = timedelta(days=3653)


@pytest.fixture
def looking(sqlite_store: Store) -> Looking:
    return Looking(sqlite_store)


async def test_nobody_is_told_of_a_monitor_that_is_well(looking: Looking) -> None:
    looking.engine = EngineLook(is_up=True, patience_seconds=900)
    looking.check()
    for _ in range(8):
        await looking.look(after=HOUR)
        looking.check()
    assert (looking.open, looking.moved) == ([], 0)


async def test_no_valid_check_for_too_long_is_told_once_and_recovers_with_one(looking: Looking) -> None:
    looking.check()
    await looking.look()
    for _ in range(9):
        await looking.look(after=HOUR)
    assert looking.open == []
    for _ in range(3):
        looking.check(DULL)
        await looking.look(after=HOUR)
    assert "s/overall" in looking.open
    looking.check(BAD)
    await looking.look()
    assert "s/overall" not in looking.open
    assert [kind for scope, kind in looking.told if scope == "s/overall"] == [OPEN, RESOLVE]


async def test_a_valid_check_of_another_daemon_is_found_in_the_database(looking: Looking) -> None:
    await looking.look()
    for _ in range(12):
        await looking.look(after=HOUR)
        looking.check(is_noted=False)
    assert looking.open == []


async def test_a_suite_without_a_check_counts_from_the_start_and_one_without_a_schedule_not_at_all(
    looking: Looking,
) -> None:
    looking.patience, patience = None, looking.patience
    await looking.look()
    await looking.look(after=20 * HOUR)
    assert looking.open == []
    looking.fresh()
    looking.patience = patience
    await looking.look()
    assert looking.open == []
    for _ in range(10):
        await looking.look(after=HOUR)
    assert looking.open == ["s/overall"]


@pytest.mark.parametrize("wrong", [YEARS, -YEARS])
async def test_after_a_restart_a_wrong_clock_leaves_the_time_of_one_check(looking: Looking, wrong: timedelta) -> None:
    looking.check()
    looking.at += wrong
    looking.fresh()
    await looking.look()
    await looking.look(after=1.5 * HOUR)
    assert looking.open == []
    looking.go(0.1 * HOUR)
    await looking.look()
    assert looking.open == (["s/overall"] if wrong > timedelta() else [])
    for _ in range(8):
        await looking.look(after=HOUR)
    assert "s/overall" in looking.open


async def test_a_clock_that_is_set_back_hides_no_new_check(looking: Looking) -> None:
    looking.check()
    await looking.look()
    looking.at -= timedelta(days=400)
    for _ in range(40):
        looking.check()
        await looking.look(after=HOUR)
    assert "s/overall" not in looking.open


async def test_a_process_that_stood_still_is_given_the_time_of_one_check(looking: Looking) -> None:
    looking.check()
    await looking.look()
    await looking.look(after=12 * HOUR)
    assert looking.open == []
    await looking.look(after=1.6 * HOUR)
    assert looking.open == ["s/overall"]


async def test_a_suite_that_is_paused_pages_nobody_and_counts_anew_afterwards(looking: Looking) -> None:
    await looking.look()
    for _ in range(10):
        await looking.look(after=HOUR)
    assert looking.open == ["s/overall"]
    looking.paused = "the assistant is disabled"
    await looking.look(after=HOUR)
    assert [i.close_reason for i in looking.store.incidents()] == ["paused: the assistant is disabled"]
    for _ in range(12):
        looking.check(DULL)
        await looking.look(after=HOUR)
    looking.paused = None
    looking.check(DULL)
    await looking.look(after=3 * HOUR)
    assert "s/overall" not in looking.open
    assert "monitor/checks.s" in looking.open


async def test_a_clock_that_jumps_is_told_until_it_went_evenly_for_an_hour(looking: Looking) -> None:
    looking.check()
    await looking.look()
    looking.at += timedelta(hours=1)
    await looking.look()
    assert looking.open == ["monitor/clock"]
    await looking.look(after=HOUR - 1)
    assert looking.open == ["monitor/clock"]
    await looking.look(after=1)
    assert looking.open == []
    assert [kind for _, kind in looking.told] == [OPEN, RESOLVE]


async def test_a_clock_that_differs_from_the_databases_is_told_until_it_agrees_and_an_hour_went_evenly(
    looking: Looking,
) -> None:
    class Ahead(Store):
        def clock(self) -> datetime:
            return looking.at + timedelta(seconds=off)

    off = 45.0
    looking.check()
    looking.store.__class__ = Ahead
    await looking.look()
    assert looking.open == ["monitor/clock"]
    off = 0.0
    await looking.look(after=HOUR)
    assert looking.open == []
    assert [kind for _, kind in looking.told] == [OPEN, RESOLVE]


async def test_two_checks_in_a_row_that_say_nothing_are_a_ticket_until_one_says_something(looking: Looking) -> None:
    looking.check()
    await looking.look()
    looking.check(DULL)
    await looking.look(after=60)
    assert looking.open == []
    looking.go(60)
    looking.check(DULL)
    await looking.look()
    looking.overlaps.begin("s")
    assert looking.open == ["monitor/checks.s"]
    looking.go(60)
    looking.check(BAD)
    await looking.look()
    assert looking.open == []


async def test_three_skipped_slots_in_a_row_are_told_until_one_is_not_skipped(looking: Looking) -> None:
    looking.check()
    for _ in range(2):
        looking.overlaps.skip("s")
    await looking.look()
    assert looking.open == []
    looking.overlaps.skip("s")
    await looking.look()
    assert looking.open == ["monitor/checks.s"]
    looking.overlaps.begin("s")
    await looking.look()
    assert looking.open == []


async def test_an_engine_that_is_away_for_longer_than_it_may_take_to_start_is_told(looking: Looking) -> None:
    looking.engine = EngineLook(is_up=False, patience_seconds=900, reason="the engine is restarting")
    await looking.look()
    await looking.look(after=900)
    assert looking.open == []
    await looking.look(after=1)
    assert looking.open == ["monitor/engine"]
    title = looking.store.notifications()[0].alert.title
    assert title == "the monitor, not the assistant, is sick: its user model's server"
    looking.engine = EngineLook(is_up=True, patience_seconds=900)
    await looking.look(after=1)
    assert looking.open == []
    assert looking.store.notifications()[-1].alert.title == "the monitor is well again: its user model's server"


async def test_restarts_of_the_engine_that_pile_up_are_told_for_an_hour(looking: Looking) -> None:
    looking.engine = EngineLook(is_up=True, patience_seconds=900, restarts=5)
    await looking.look()
    looking.engine = EngineLook(is_up=True, patience_seconds=900, restarts=8)
    await looking.look(after=10)
    assert looking.open == ["monitor/engine"]
    await looking.look(after=HOUR + 1)
    assert looking.open == []


async def test_a_configuration_that_is_refused_for_ten_minutes_is_told(looking: Looking) -> None:
    looking.problems = ["monitor.yaml:3: suites: wrong"]
    await looking.look()
    await looking.look(after=601)
    assert looking.open == ["monitor/configuration"]
    looking.problems = ()
    await looking.look(after=1)
    assert looking.open == []


async def test_that_the_database_was_away_is_told_when_it_is_back(looking: Looking) -> None:
    await looking.look()
    looking.store.__class__ = CutStore
    assert isinstance(looking.store, CutStore)
    looking.store.is_away = True
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await looking.look(after=100)
    looking.store.is_away = False
    await looking.look(after=1)
    assert looking.open == ["monitor/storage"]
    await looking.look(after=300)
    assert looking.open == []


async def test_checks_that_were_lost_are_told_for_a_day(looking: Looking) -> None:
    await looking.look()
    looking.spool = (0, 1)
    await looking.look(after=1)
    assert looking.open == ["monitor/storage"]
    await looking.look(after=24 * HOUR)
    assert "monitor/storage" in looking.open
    await looking.look(after=2)
    assert "monitor/storage" not in looking.open


async def test_a_message_that_waits_for_a_quarter_of_an_hour_is_told_whatever_the_wall_clock_says(
    looking: Looking,
) -> None:
    looking.engine = EngineLook(is_up=False, patience_seconds=0, is_final=True, reason="it cannot start")
    await looking.look()
    looking.at += timedelta(hours=1)
    await looking.look(after=60)
    assert "monitor/delivery" not in looking.open
    await looking.look(after=899)
    assert "monitor/delivery" not in looking.open
    await looking.look(after=1)
    assert "monitor/delivery" in looking.open


async def test_an_alert_that_moved_is_sent_at_once(looking: Looking) -> None:
    looking.overlaps.skip("s")
    looking.overlaps.skip("s")
    looking.overlaps.skip("s")
    await looking.look()
    await looking.look(after=15)
    assert looking.moved == 1
    assert looking.store.alert_state("monitor/checks.s").phase is Phase.FIRING


async def test_what_a_held_incident_waits_for_is_not_said_by_the_look(looking: Looking) -> None:
    """A recovery that is repeated every few seconds is no calm."""
    for _ in range(5):
        looking.overlaps.skip("s"), looking.overlaps.skip("s"), looking.overlaps.skip("s")
        await looking.look(after=10)
        looking.overlaps.begin("s")
        await looking.look(after=10)
    assert looking.open == ["monitor/checks.s"]
    for _ in range(10):
        await looking.look(after=15)
    assert looking.open == ["monitor/checks.s"]
