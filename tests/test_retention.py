from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.retention import FEWEST, MOST, forget, next_batch
from monitor.store import Store
from monitor.store.migrate import upgrade

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def test_what_is_old_is_deleted_to_the_last_and_counted(tmp_path_factory: pytest.TempPathFactory) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('retention') / 'monitor.db'}"
    upgrade(url)
    store, left = Store.open(url), [137]

    def retire(*, older_than: datetime, batch: int) -> int:
        assert older_than == NOW
        deleted = min(batch, left[0])
        left[0] -= deleted
        return deleted

    try:
        assert await forget(store, retire, older_than=NOW) == 137
    finally:
        store.close()
    assert left == [0]


@pytest.mark.parametrize(
    ("batch", "seconds", "expected"),
    [(20, 0.04, 20), (20, 0.08, 10), (20, 0.0, 40), (20, 10.0, FEWEST), (150, 0.001, MOST), (FEWEST, 10.0, FEWEST)],
)
def test_batches_grow_and_shrink_to_take_a_moment(batch: int, seconds: float, expected: int) -> None:
    assert next_batch(batch, seconds) == expected
