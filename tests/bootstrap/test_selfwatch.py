"""The watch over the monitor itself in a whole application."""

from __future__ import annotations

from monitor.machine import Phase
from monitor.rules import monitor, nodata
from monitor.rules.monitor import Down
from tests.bootstrap.test_reload import SUITE, Running
from tests.bootstrap.test_reload import running as running  # noqa: PLC0414  a fixture
from tests.parties import T0

CLOCK = monitor.of_clock(3600.0, 0.0, host=None)
ENGINE = monitor.of_engine(Down(seconds=1, patience_seconds=0, reason="away"), 0, host=None)
NODATA = nodata.judge("shop", 2.0, nodata.Patience(limit_seconds=1.0, check_seconds=0.5), T0)


def firing(running: Running) -> set[str]:
    """The scopes whose incidents are open."""
    return {state.scope for state in running.application.store.alert_states() if state.phase is Phase.FIRING}


async def test_alerts_of_the_monitor_stay_open_across_a_start_where_the_part_is_still_watched(running: Running) -> None:
    assert running.application.operations.judge([CLOCK, ENGINE, NODATA]) == 3
    await running.application.retire_alerts()
    assert firing(running) == {"monitor/clock", "shop/overall"}  # scripted users have no engine


async def test_a_suite_that_loses_its_schedule_is_told_to_be_missed_no_more(running: Running) -> None:
    running.application.operations.judge([NODATA])
    await running.reload(suites={"shop": {**SUITE, "schedule": None}, "store": SUITE})
    assert firing(running) == set()


async def test_a_suite_that_is_switched_off_is_paused_and_neither_stale_nor_missed(running: Running) -> None:
    off = {"scripted": {"url": running.url, "enabled": False}}
    await running.application.publish()
    assert 'assistant_monitor_suite_paused{suite="shop"} 0.0' in running.page()
    assert 'assistant_monitor_stale_after_seconds{suite="shop"}' in running.page()
    running.application.operations.judge([NODATA])
    await running.reload(assistants=off)
    await running.application.publish()
    await running.application.selfwatch.look()
    assert 'assistant_monitor_suite_paused{suite="shop"} 1.0' in running.page()
    assert 'assistant_monitor_stale_after_seconds{suite="shop"}' not in running.page()
    assert firing(running) == set()


async def test_incidents_of_the_monitor_are_counted_under_its_own_name(running: Running) -> None:
    running.application.operations.judge([CLOCK])
    await running.application.publish()
    assert 'assistant_monitor_incidents_open{suite="monitor"} 1.0' in running.page()
    assert 'assistant_monitor_check_overlaps_total{suite="shop"} 0.0' in running.page()
    assert 'assistant_monitor_dead_man_pings_total{result="failed"} 0.0' in running.page()
