"""When the dead man's switch is pinged, and what becomes of pings that are not taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from monitor.errors import StoreUnavailable
from monitor.http import HttpClient
from monitor.selfwatch.dead_man import DeadMan, Target
from tests.selfwatch.pinged import Pinged, pinged


class Cycle:
    """What a dead man's switch is told, and what it counted."""

    def __init__(self) -> None:
        self.is_settled: bool | Exception = True
        self.target: Target | None = None
        self.counted: list[bool] = []

    async def settled(self) -> bool:
        if isinstance(self.is_settled, Exception):
            raise self.is_settled
        return self.is_settled


@asynccontextmanager
async def switch(service: Pinged, timeout_seconds: float = 5.0) -> AsyncIterator[tuple[DeadMan, Cycle]]:
    cycle, http = Cycle(), HttpClient()
    cycle.target = Target(url=service.url, timeout_seconds=timeout_seconds)
    dead_man = DeadMan(
        http=http,
        target=lambda: cycle.target,
        is_settled=cycle.settled,
        count=cycle.counted.append,
        pause_seconds=0.01,
        settle_seconds=0.05,
        look_seconds=0.01,
    )
    task = asyncio.create_task(dead_man.run())
    try:
        yield dead_man, cycle
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await http.aclose()


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110  what is waited for sets no event
            await asyncio.sleep(0.005)


async def test_each_whole_cycle_is_one_ping() -> None:
    async with pinged() as service, switch(service) as (dead_man, cycle):
        for number in (1, 2):
            dead_man.note()
            await until(lambda: len(cycle.counted) == number)  # noqa: B023  called before the next number
    assert (service.paths, cycle.counted) == (["/ping/3fd1c0de-secret"] * 2, [True, True])


@pytest.mark.parametrize("waits", [False, StoreUnavailable("away")])
async def test_nobody_is_pinged_while_something_waits_to_be_stored_or_tried(
    waits: bool | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async with pinged() as service, switch(service) as (dead_man, cycle):
        cycle.is_settled = waits
        dead_man.note()
        await until(lambda: "dead_man_not_pinged" in caplog.text)
        assert (service.paths, cycle.counted) == ([], [])
        cycle.is_settled = True
        dead_man.note()
        await until(lambda: cycle.counted)
    assert cycle.counted == [True]


@pytest.mark.parametrize("failure", [500, 404, 302, None])
async def test_a_ping_is_tried_three_times_and_then_counted_as_failed(
    failure: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with pinged(*[failure] * 3) as service, switch(service, timeout_seconds=0.2) as (dead_man, cycle):
            dead_man.note()
            await until(lambda: cycle.counted)
    assert (len(service.paths), cycle.counted) == (3, [False])
    assert "dead_man_ping_failed" in caplog.text
    assert "3fd1c0de" not in caplog.text


async def test_a_ping_that_is_taken_at_a_later_try_is_ok() -> None:
    async with pinged(503, 503) as service, switch(service) as (dead_man, cycle):
        dead_man.note()
        await until(lambda: cycle.counted)
    assert cycle.counted == [True]


async def test_without_an_address_nobody_is_pinged() -> None:
    async with pinged() as service, switch(service) as (dead_man, cycle):
        cycle.target = None
        dead_man.note()
        await asyncio.sleep(0.05)
    assert (service.paths, cycle.counted) == ([], [])
