"""How long whoever saves conversations is kept waiting while retention deletes old ones.

One thread saves conversations of a running check under its slot, with pauses of `SAVE_EVERY_SECONDS`, as a daemon
does: while `monitor.retention.forget` deletes the oldest ones through the same store, and then alone.

`retention_longest_lock_ms` is the greater one of two:

- the longest time that one of retention's transactions lasted from the moment when it had begun (on SQLite: had the
  lock of the file) to the return of its commit: nobody can have waited longer for its locks than that;
- the longest time that a save took up to its own commit while retention ran: its wait for the lock of the file
  (SQLite) or of rows (PostgreSQL), and its own statements. Its commit is left out, since that waits for the disk and
  for nobody's lock; `save_longest_ms` has it, beside `save_alone_longest_ms`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from sqlalchemy import Connection, select

from monitor.check import CheckRecord, CheckStatus, Slot, Trigger
from monitor.retention import forget
from monitor.store import Store, conversations, tables
from tests.benchmarks.store.samples import EPOCH, SUITE
from tests.benchmarks.store.timing import Span, TimedDatabase, longest_ms, p95
from tests.benchmarks.store.world import NOW, World, talk

SAVE_EVERY_SECONDS = 0.02
MOST_RETIRED, RETIRED_SHARE = 20_000, 0.2
SAVE, RETIRE = (f"{conversations.__name__}.{name}" for name in ("save", "retire"))


def retire(store: Store, database: TimedDatabase, world: World) -> dict[str, float]:
    """The figures of retention, on a store over this database."""
    check, slot = _running_check(store)
    saver = _Saver(store, world, check, slot)
    wanted = min(MOST_RETIRED, int(world.conversations * RETIRED_SHARE))
    cut = database.read(_finished_of, wanted)
    database.spans.clear()
    with saver.saving():
        began = time.monotonic()
        retired = asyncio.run(forget(store, store.retire, older_than=cut))
        seconds = time.monotonic() - began
    beside, deleting = _of(database.spans, SAVE), _of(database.spans, RETIRE)
    database.spans.clear()
    with saver.saving():
        time.sleep(max(1.0, min(seconds, 30.0)))
    return _figures(beside, deleting, _of(database.spans, SAVE)) | {
        "retired": retired,
        "retention_seconds": round(seconds, 1),
    }


def _figures(beside: Sequence[Span], deleting: Sequence[Span], alone: Sequence[Span]) -> dict[str, float]:
    held = longest_ms([span.held for span in deleting])
    waited = longest_ms([span.before_commit for span in beside])
    return {
        "retention_longest_lock_ms": max(held, waited),
        "retention_longest_hold_ms": held,
        "save_longest_wait_ms": waited,
        "save_longest_ms": longest_ms([span.whole for span in beside]),
        "save_p95_ms": p95([1000 * span.whole for span in beside]),
        "save_alone_longest_ms": longest_ms([span.whole for span in alone]),
        "save_alone_p95_ms": p95([1000 * span.whole for span in alone]),
        "saves": len(beside),
        "retention_transactions": len(deleting),
    }


class _Saver:
    """Saves samples as conversations of one check, each with an id of its own."""

    def __init__(self, store: Store, world: World, check: CheckRecord, slot: Slot) -> None:
        self._store, self._world, self._check, self._slot = store, world, check, slot
        self._numbers = count()

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Save until the block ends. Raises what a save raised."""
        enough, failures = threading.Event(), list[BaseException]()

        def run() -> None:
            try:
                while not enough.wait(SAVE_EVERY_SECONDS):
                    self._save(next(self._numbers))
            except BaseException as failure:  # noqa: BLE001  raised by the thread that waits for this one
                failures.append(failure)

        thread = threading.Thread(target=run, name="saves")
        thread.start()
        try:
            yield
        finally:
            enough.set()
            thread.join()
        if failures:
            raise failures[0]

    def _save(self, number: int) -> None:
        made = self._world.samples[number % len(self._world.samples)]
        key, began = f"{number:032x}", NOW + timedelta(seconds=number)
        self._store.save_conversation(
            talk(made, conversation_id=key, check_id=self._check.id, began=began, number=number), self._slot
        )


def _running_check(store: Store) -> tuple[CheckRecord, Slot]:
    now = datetime.now(UTC)
    slot = store.claim_slot(SUITE, now, owner="bench", now=now, lease_seconds=86_400, second_attempt_grace_seconds=3600)
    assert slot is not None
    check = CheckRecord(
        id="running",
        suite=SUITE,
        trigger=Trigger.SCHEDULE,
        status=CheckStatus.RUNNING,
        epoch=EPOCH,
        seed=1,
        started_at=NOW,
        planned=4000,
        slot_at=slot.at,
    )
    store.open_check(check, slot)
    return check, slot


def _finished_of(connection: Connection, place: int) -> datetime:
    """When the conversation at this place finished, by age."""
    finished_at = tables.conversation.c.finished_at
    found: datetime = connection.execute(select(finished_at).order_by(finished_at).offset(place).limit(1)).scalar_one()
    return found


def _of(spans: Sequence[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]
