"""Several at once, answers in order."""

from __future__ import annotations

import asyncio

import pytest

from monitor.studies.pace import in_order


async def test_answers_come_in_order_whoever_is_done_first() -> None:
    gates = [asyncio.Event() for _ in range(3)]

    async def work(number: int) -> int:
        for later in gates[number + 1 :]:
            await later.wait()
        gates[number].set()
        return number

    assert [found async for found in in_order(range(3), work, at_once=3)] == [0, 1, 2]


async def test_no_more_than_so_many_are_worked_on_at_once() -> None:
    running, most = 0, 0

    async def work(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    assert len([found async for found in in_order(range(20), work, at_once=4)]) == 20
    assert most == 4


async def test_a_failure_ends_it_and_cancels_what_runs() -> None:
    cancelled = asyncio.Event()

    async def work(number: int) -> None:
        if number == 0:
            raise ValueError("broken")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(ValueError, match="broken"):
        _ = [found async for found in in_order(range(2), work, at_once=2)]
    assert cancelled.is_set()
