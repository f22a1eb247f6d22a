"""A slot belongs to whoever renews it: not to one that stopped, and not the less to one whose database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

import pytest

from monitor.check import CheckRecord, CheckStatus, Slot, Trigger
from monitor.errors import StaleWrite
from monitor.lease import Leases
from monitor.store import Store
from tests.fixtures.checking import Checking
from tests.keeping.away import CutStore
from tests.parties import T0

LEASE_SECONDS = 0.04


@dataclass
class Two:
    """Two daemons' leases on one store, under a clock that is moved."""

    store: Store
    seconds: float = 0.0

    def now(self) -> datetime:
        return T0 + timedelta(seconds=self.seconds)

    def leases(self, owner: str) -> Leases:
        return Leases(store=self.store, owner=owner, now=self.now, clock=lambda: self.seconds, seconds=LEASE_SECONDS)

    async def claim(self, owner: str) -> Slot | None:
        return await self.leases(owner).claim("s", T0, second_attempt_grace_seconds=600)


class SharedStore(CutStore):
    """A file that several daemons pretend to share; keeps the renewals."""

    renewed: ClassVar[list[Slot]]

    def renew_slot(self, slot: Slot, *, now: datetime, lease_seconds: float) -> Slot:
        self.renewed.append(super().renew_slot(slot, now=now, lease_seconds=lease_seconds))
        return self.renewed[-1]

    @property
    def is_shared(self) -> bool:
        return True


@pytest.fixture
def two(checking: Checking) -> Two:
    checking.store.__class__ = SharedStore
    SharedStore.renewed = []
    return Two(checking.store)


async def until(is_so: Callable[[], bool]) -> str:
    while not is_so():  # noqa: ASYNC110  it waits for what a thread does
        await asyncio.sleep(0.005)
    return "done"


async def test_a_lease_is_renewed_while_its_work_is_done(two: Two) -> None:
    slot = await two.claim("a")
    assert slot is not None
    renewed = SharedStore.renewed

    async def work() -> str:
        two.seconds = 100.0
        return await until(lambda: len(renewed) >= 2)

    assert await two.leases("a").hold(slot, work()) == "done"
    assert renewed[-1].lease_until == T0 + timedelta(seconds=100.0 + LEASE_SECONDS)
    assert await two.claim("b") is None


async def test_work_on_a_slot_that_another_took_over_is_cancelled(two: Two) -> None:
    slot = await two.claim("a")
    assert slot is not None
    two.seconds = 1.0
    assert await two.claim("b") is not None
    with pytest.raises(StaleWrite):
        await two.leases("a").hold(slot, asyncio.sleep(60.0))


async def test_a_database_that_is_away_cancels_nothing(two: Two, caplog: pytest.LogCaptureFixture) -> None:
    slot = await two.claim("a")
    assert slot is not None
    two.store.is_away = True  # type: ignore[attr-defined]
    work = until(lambda: caplog.text.count("lease_not_renewed") >= 3)
    assert await two.leases("a").hold(slot, work) == "done"


async def test_a_cancelled_holder_ends_its_work(two: Two) -> None:
    slot = await two.claim("a")
    assert slot is not None
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            ended.append("work")

    holding = asyncio.create_task(two.leases("a").hold(slot, work()))
    await asyncio.sleep(0.01)
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert ended == ["work"]


async def test_what_another_left_running_is_aborted_and_what_is_ours_is_not(two: Two) -> None:
    check = _running(two, await two.claim("a"))
    two.seconds = 10.0
    assert not await two.leases("a").find_lost()
    assert await two.leases("b").find_lost()
    stored = two.store.check(check.id)
    assert stored is not None
    assert stored.status is CheckStatus.ABORTED


async def test_after_the_database_was_away_everybody_has_one_lease_to_renew(two: Two) -> None:
    _running(two, await two.claim("a"))
    two.seconds = 10.0
    other = two.leases("b")
    other.doubt()
    assert not await other.find_lost()
    assert await other.claim("s", T0, second_attempt_grace_seconds=600) is None
    two.seconds += LEASE_SECONDS
    assert await other.find_lost()
    assert await other.claim("s", T0, second_attempt_grace_seconds=600) is not None


def _running(two: Two, slot: Slot | None) -> CheckRecord:
    assert slot is not None
    check = CheckRecord(
        id="c",
        suite="s",
        trigger=Trigger.SCHEDULE,
        status=CheckStatus.RUNNING,
        epoch="e",
        seed=1,
        started_at=T0,
        planned=1,
        slot_at=T0,
    )
    two.store.open_check(check, slot)
    return check
