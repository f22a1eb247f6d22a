from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from monitor.retention import BATCH_SECONDS, FEWEST, MOST, SHARE, forget, next_batch
from monitor.store import Store
from monitor.store.migrate import upgrade

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path_factory.mktemp('retention') / 'monitor.db'}"
    upgrade(url)
    opened = Store.open(url)
    yield opened
    opened.close()


class Disk:
    """Holds `left` old rows, each of which takes some seconds to delete, by a clock of its own."""

    def __init__(self, left: int, seconds_each: float) -> None:
        self.left, self.seconds_each, self.now = left, seconds_each, 0.0
        self.held: list[float] = []
        self.rested = 0.0

    def retire(self, *, older_than: datetime, batch: int) -> int:
        assert older_than == NOW
        deleted = min(batch, self.left)
        self.left -= deleted
        self.held.append(deleted * self.seconds_each)
        self.now += self.held[-1]
        return deleted

    async def rest(self, seconds: float) -> None:
        self.rested += seconds
        self.now += seconds


async def forget_all(store: Store, disk: Disk) -> int:
    return await forget(store, disk.retire, older_than=NOW, clock=lambda: disk.now, sleep=disk.rest)


async def test_what_is_old_is_deleted_to_the_last_and_counted(store: Store) -> None:
    disk = Disk(137, seconds_each=0.002)
    assert await forget_all(store, disk) == 137
    assert disk.left == 0


@pytest.mark.parametrize("seconds_each", [0.0001, 0.001, 0.004, 0.02])
async def test_on_any_disk_batches_soon_take_the_time_that_nobody_minds(store: Store, seconds_each: float) -> None:
    disk = Disk(1000, seconds_each)
    await forget_all(store, disk)
    settled = disk.held[4:-1]
    assert max(settled) <= max(BATCH_SECONDS, FEWEST * seconds_each) + 1e-9
    assert min(settled) >= min(BATCH_SECONDS - seconds_each, MOST * seconds_each) - 1e-9


async def test_a_disk_that_becomes_slow_is_asked_for_less(store: Store) -> None:
    disk = Disk(2000, seconds_each=0.0002)

    def retire(*, older_than: datetime, batch: int) -> int:
        disk.seconds_each = 0.0002 if disk.left > 1000 else 0.005
        return disk.retire(older_than=older_than, batch=batch)

    await forget(store, retire, older_than=NOW, clock=lambda: disk.now, sleep=disk.rest)
    slow = [held for held in disk.held if held > BATCH_SECONDS]
    assert len(slow) == 1


async def test_others_have_as_much_time_as_is_spent_deleting(store: Store) -> None:
    disk = Disk(500, seconds_each=0.001)
    await forget_all(store, disk)
    assert disk.rested == pytest.approx(sum(disk.held) * (1 - SHARE) / SHARE)


@pytest.mark.parametrize(
    ("batch", "seconds", "expected"),
    [
        (20, BATCH_SECONDS, 20),
        (20, 2 * BATCH_SECONDS, 10),
        (20, 0.0, 40),
        (20, 10.0, FEWEST),
        (90, 0.001, MOST),
        (FEWEST, 10.0, FEWEST),
    ],
)
def test_batches_grow_and_shrink_to_take_a_moment(batch: int, seconds: float, expected: int) -> None:
    assert next_batch(batch, seconds) == expected
