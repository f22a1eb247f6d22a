"""What is kept how long; what is older is deleted in small batches, so that nobody who writes meanwhile waits long for
the database.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from monitor.store import Store

FIRST_BATCH = 10
FEWEST, MOST = 1, 100
BATCH_SECONDS = 0.025
"""SQLite has one writer: batches shrink and grow until one takes about this long, whatever the disk: the slowest
of thousands still holds nobody up for long.
"""
SHARE = 0.5
"""At most this share of the time is spent deleting."""
REPORTS_KEPT = timedelta(days=1)
"""Tool calls that were reported: longer than any conversation lasts, which has them in its transcript then."""


async def forget_old(store: Store, now: Callable[[], datetime], *, retention_days: int, audit_days: int) -> None:
    """Delete what is past its retention, and reports that no conversation can still want. Raises StoreFailure."""
    for retire, kept in (
        (store.retire, timedelta(days=retention_days)),
        (store.retire_reported, REPORTS_KEPT),
        (store.retire_canary_runs, timedelta(days=retention_days)),
        (store.retire_silences, timedelta(days=retention_days)),
        (store.retire_audit, timedelta(days=audit_days)),
    ):
        await forget(store, retire, older_than=now() - kept)


async def forget(
    store: Store,
    retire: Callable[..., int],
    *,
    older_than: datetime,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> int:
    """Call `retire` until there is nothing older left; how many there were. Raises StoreFailure."""
    total, batch, retired = 0, FIRST_BATCH, FIRST_BATCH
    while retired == batch:
        began = clock()
        retired = await store.offload(retire, older_than=older_than, batch=batch)
        seconds = clock() - began
        total += retired
        await store.offload(store.tidy)
        await sleep((clock() - began) * (1 - SHARE) / SHARE)
        if retired == batch:
            retired = batch = next_batch(batch, seconds)
    return total


def next_batch(batch: int, seconds: float) -> int:
    """How many to delete after a batch took so long; never more than twice as many."""
    return max(FEWEST, min(MOST, 2 * batch, int(batch * BATCH_SECONDS / max(seconds, 0.001))))
