"""The monitor's look at itself: gathers every few seconds what is known of its parts, and has it judged and told.

A task of its own, so that it goes on when the scheduler does not. What is found goes the way of every alert.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from monitor.canary import CanaryRun, CanaryState, state_of
from monitor.check import CheckRecord, CheckStatus
from monitor.errors import StoreFailure
from monitor.incident import Notification
from monitor.rules import monitor
from monitor.rules.monitor import Part
from monitor.selfwatch.chronicle import ENDED, VALID
from monitor.selfwatch.clock import ClockWatch, boot_clock, skew_seconds
from monitor.selfwatch.outbox import LOST_WITHIN, OutboxWatch
from monitor.selfwatch.overlaps import Overlaps
from monitor.selfwatch.parts import PartsWatch
from monitor.selfwatch.sources import Sources, Watching
from monitor.selfwatch.suites import Stored, SuitesWatch
from monitor.store import Store
from monitor.verdict import Verdict

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0
STANDSTILL = 4
"""So many times the usual pause between two looks: the process stood still."""
READ_CHECKS = 20


@dataclass(frozen=True, slots=True)
class _Read:
    """What the database says, by suite and of all; `skew_seconds` None: its clock is this machine's."""

    suites: dict[str, Stored]
    canaries: CanaryRun | None
    skew_seconds: float | None
    undelivered: list[Notification]


@dataclass(slots=True, kw_only=True)
class SelfWatch:
    """`clock` is monotonic, `now` the wall clock; `host` names this machine where other daemons share the database.

    `boot_clock` goes on in suspend; `on_moved` hears that there is something to send.
    """

    store: Store
    sources: Sources
    watching: Callable[[], Watching]
    on_moved: Callable[[], None]
    overlaps: Overlaps
    clock: Callable[[], float]
    now: Callable[[], datetime]
    host: str | None = None
    every_seconds: float = EVERY_SECONDS
    boot_clock: Callable[[], float] = boot_clock
    _parts: PartsWatch = field(init=False)
    _suites: SuitesWatch = field(init=False)
    _outbox: OutboxWatch = field(init=False)
    _looked_at: float | None = None

    def __post_init__(self) -> None:
        clock, now, host = self.clock, self.now, self.host
        clocks = ClockWatch(now, self.boot_clock)
        self._parts = PartsWatch(sources=self.sources, clock=clock, clock_watch=clocks, host=host)
        self._suites = SuitesWatch(overlaps=self.overlaps, clock=clock, now=now, host=host)
        self._outbox = OutboxWatch(clock=clock, now=now)

    def note_check(self, check: CheckRecord) -> None:
        """A check of this daemon ended."""
        self._suites.note(check)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self.every_seconds)
            try:
                await self.look()
            except StoreFailure as exc:
                log.warning("selfwatch_waits error=%s", exc)
            except Exception:
                log.exception("selfwatch_broke")

    async def look(self) -> None:
        """Gather, judge and tell once. Raises StoreFailure; what was gathered without the database is remembered."""
        watching = self.watching()
        found = list(self._parts.look())
        self._spare_after_standstill(watching)
        try:
            read = await self.store.offload(self._read, watching)
            found += [self._parts.of_storage(), *self._of_read(read, watching)]
            unwatched = {monitor.scope_of(part) for part in Part if part not in watching.parts}
            verdicts = [verdict for verdict in monitor.merged(found) if verdict.scope not in unwatched]
            moved = await self.store.offload(watching.judge, verdicts)
        except StoreFailure:
            self._parts.store_is_away()
            raise
        if moved:
            self.on_moved()

    def _spare_after_standstill(self, watching: Watching) -> None:
        now, before = self.clock(), self._looked_at
        if before is not None and now - before > STANDSTILL * self.every_seconds:
            log.warning("selfwatch_stood_still seconds=%.0f", now - before)
            self._suites.spare(watching.suites)
        self._looked_at = now

    def _read(self, watching: Watching) -> _Read:
        return _Read(
            suites={
                suite: Stored(checks=self._checks(suite), paused=watching.paused(suite)) for suite in watching.suites
            },
            canaries=self.store.canary_run() if Part.CANARIES in watching.parts else None,
            skew_seconds=skew_seconds(self.now, self.store.clock),
            undelivered=self.store.undelivered(since=self.now() - LOST_WITHIN),
        )

    def _checks(self, suite: str) -> list[CheckRecord]:
        def newest(statuses: tuple[CheckStatus, ...], limit: int) -> list[CheckRecord]:
            return self.store.checks(suite, limit=limit, statuses=statuses, alerting_only=True)

        ended = newest(ENDED, READ_CHECKS)
        return ended if any(check.status in VALID for check in ended) else [*ended, *newest(VALID, 1)]

    def _of_read(self, read: _Read, watching: Watching) -> list[Verdict]:
        run = read.canaries
        state = CanaryState.UNKNOWN
        if run is not None:
            state = state_of(run, run.epoch, self.now(), every_seconds=watching.canary_seconds)
        return [
            *([] if read.skew_seconds is None else [monitor.of_skew(read.skew_seconds, host=self.host)]),
            monitor.of_delivery(self._outbox.look(read.undelivered)),
            monitor.of_canaries(run, state),
            *self._suites.look(watching.suites, read.suites),
        ]
