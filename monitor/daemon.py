"""The daemon: checks when they are due, an outbox that is emptied, signs of life, and an orderly end.

APScheduler is only a timer here; which slot is due is decided by `schedule` on the slots in the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Any

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.check import CheckRecord, Slot, Trigger
from monitor.delivery import Sender
from monitor.errors import MonitorError, StoreFailure, StoreUnavailable
from monitor.healthcheck import HealthCheck
from monitor.keeping import Keeper
from monitor.lease import LEASE_SECONDS, Leases
from monitor.pulse import Pulse
from monitor.retention import forget_old
from monitor.schedule import Schedule, due_slot
from monitor.sdnotify import ServiceManager
from monitor.selfwatch import Overlaps
from monitor.store import Store
from monitor.studies.canaries import CanaryStudy
from monitor.studies.watch import CanaryWatch

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
CLOCK_JUMP_SECONDS = 60.0
DRAIN_SECONDS = 5.0
RETENTION_SECONDS = 3600.0
PUBLISH_SECONDS = 60.0
ALERT_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledCheck:
    """A suite that is run by the clock. `run_seed` None: a fresh one for each check."""

    check: HealthCheck
    schedule: Schedule
    second_attempt_grace_seconds: float
    run_seed: int | None = None


@dataclass(slots=True, kw_only=True)
class Daemon:
    """Runs scheduled checks until a signal. `retire` closes alerts of suites that are watched no more.

    `news` is set when there is something to publish that no check publishes itself: a message was delivered, or a check
    broke off. `tick_alerts` lets time act on open incidents. `canaries` are scored every `canary_seconds`; None: not at
    all. `keeper` has checks that the database could not take; `store_was_away`: it was waited for at the start. A slot
    is held for `lease_seconds` at a time. What is `beside` runs until the daemon ends, from when it is ready.
    `overlaps` counts slots that are skipped, and `on_check` hears of each check that came to its end.
    """

    suites: Mapping[str, ScheduledCheck]
    store: Store
    sender: Sender
    pulse: Pulse
    manager: ServiceManager
    owner: str
    now: Callable[[], datetime]
    retire: Callable[[], Awaitable[None]]
    publish: Callable[[], Awaitable[None]]
    news: asyncio.Event
    retention_days: int
    audit_days: int = 400
    lease_seconds: float = LEASE_SECONDS
    keeper: Keeper | None = None
    store_was_away: bool = False
    tick_alerts: Callable[[], Awaitable[None]] | None = None
    drain_seconds: float = DRAIN_SECONDS
    publish_seconds: float = PUBLISH_SECONDS
    canaries: InitVar[CanaryStudy | None] = None
    canary_seconds: InitVar[float] = 86_400.0
    beside: Sequence[Callable[[], Coroutine[object, object, None]]] = ()
    overlaps: Overlaps = field(default_factory=Overlaps)
    on_check: Callable[[CheckRecord], None] = lambda _: None
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _last: dict[str, datetime | None] = field(default_factory=dict)
    _lost: set[str] = field(default_factory=set)
    _store_is_away: bool = False
    _is_settled: bool = True
    _leases: Leases = field(init=False)
    _ticking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _canary_watch: CanaryWatch = field(init=False)

    def __post_init__(self, canaries: CanaryStudy | None, canary_seconds: float) -> None:
        self._leases = Leases(
            store=self.store, owner=self.owner, now=self.now, clock=self.pulse.clock, seconds=self.lease_seconds
        )
        if self.store_was_away:
            self._leases.doubt()
        self._canary_watch = CanaryWatch(
            study=canaries,
            every_seconds=canary_seconds,
            checks=lambda: self.running,
            clock=self.pulse.clock,
            on_scored=self.news.set,
        )

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; a second signal ends the process at once."""
        stop = asyncio.Event()
        _stop_on_signals(stop)
        await self._settle_or_wait()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self.sender.run(stop))
            beside = [group.create_task(self._keep_forgetting()), group.create_task(self.keep_published())]
            beside += [group.create_task(self._canary_watch.run())]
            beside += [group.create_task(self.keep_alerts(self.tick_alerts))] if self.tick_alerts else []
            beside += [group.create_task(self.keeper.run())] if self.keeper else []
            beside += [group.create_task(work()) for work in self.beside]
            scheduler = self._start_timer()
            self.pulse.is_ready, self.pulse.reason = True, "ready"
            self.manager.ready(f"watching {', '.join(self.suites)}")
            log.info("daemon_ready suites=%s owner=%s", ",".join(self.suites), self.owner)
            await self._watch(scheduler, stop)
            self.pulse.is_ready, self.pulse.reason = False, "stopping"
            self.manager.stopping()
            scheduler.shutdown(wait=False)
            await self.stop_checks()
            await self._send_rest(sending)
            for task in (sending, *beside):
                task.cancel()
        log.info("daemon_stopped")

    async def _settle_or_wait(self) -> None:
        """Settle before anything else; while the database cannot be written, later and before any check."""
        try:
            await self._settle()
            await self.publish()
        except StoreUnavailable as exc:
            log.warning("settling_waits error=%s", exc)
            self._leases.doubt()
            self._is_settled = False

    async def _settle(self) -> None:
        """Replay what was kept, then abort what was lost, then end what is not watched any more. May be repeated."""
        if self.keeper:
            await self.keeper.replay()
        trusted = self._leases.are_trusted
        aborted = await self.store.offload(self.store.abort_running, now=self.now(), trusts_leases=trusted)
        if aborted:
            log.warning("checks_aborted count=%d reason=left_running", aborted)
        await self.retire()
        self._is_settled = True

    async def _send_rest(self, sending: asyncio.Task[None]) -> None:
        """Let the message on its way arrive, then try everything that is due once."""
        deadline = self.pulse.clock() + self.drain_seconds
        self.sender.wake()
        await asyncio.wait({sending}, timeout=self.drain_seconds)
        await self.sender.drain(max(0.0, deadline - self.pulse.clock()))

    def _start_timer(self) -> AsyncIOScheduler:
        scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()}, executors={"default": AsyncIOExecutor()}, timezone="UTC"
        )
        self._add_tick(scheduler)
        scheduler.start()
        return scheduler

    def _add_tick(self, scheduler: AsyncIOScheduler) -> None:
        scheduler.add_job(
            self.tick,
            "interval",
            id="tick",
            seconds=TICK_SECONDS,
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
            replace_existing=True,
        )

    async def follow(
        self, suites: Mapping[str, ScheduledCheck], canaries: CanaryStudy | None, canary_seconds: float
    ) -> tuple[asyncio.Task[Any], ...]:
        """Watch this from now on; a suite goes on from its last slot. Gives what ends under what was before."""
        async with self._ticking:
            self.suites = suites
        self._canary_watch.follow(canaries, canary_seconds)
        scoring = self._canary_watch.scoring
        return (*self.running, *([scoring] if scoring else []))

    async def tick(self) -> None:
        """Start every suite that is due and not running, all under one configuration."""
        async with self._ticking:
            await self._start_due()
        self.pulse.beat()

    async def _start_due(self) -> None:
        """While the database is away, it is tried again; nothing starts before what was kept meanwhile is replayed."""
        failures = []
        try:
            if not self._is_settled:
                await self._settle()
            if await self._leases.find_lost():
                self._lost.update(self.suites)
        except StoreFailure as exc:
            failures.append(f"settling: {exc}")
        for name, scheduled in self.suites.items() if self._may_start(failures) else ():
            try:
                await self._start_if_due(name, scheduled)
            except StoreFailure as exc:
                failures.append(f"{name}: {exc}")
        self._note_failures(failures)

    def _may_start(self, failures: Sequence[str]) -> bool:
        return not failures and (self.keeper is None or self.keeper.is_clear)

    def _note_failures(self, failures: Sequence[str]) -> None:
        if failures:
            self._leases.doubt()
        if failures and not self._store_is_away:
            log.warning("slots_not_claimed error=%s", "; ".join(failures))
        elif self._store_is_away and not failures:
            log.info("slots_claimed_again")
        self._store_is_away = bool(failures)

    async def _start_if_due(self, name: str, scheduled: ScheduledCheck) -> None:
        now = self.now()
        if name not in self._last:
            self._last[name] = await self.store.offload(self.store.last_slot, name)
            self._lost.add(name)  # the newest slot may have been lost with the process that ran it
        due = due_slot(scheduled.schedule, self._last[name], now)
        if name in self._running:
            if due is not None:
                level = logging.WARNING if self.overlaps.skip(name) else logging.DEBUG
                log.log(level, "check_overlaps suite=%s skipped_slot=%s", name, due.isoformat())
                self._last[name] = due
            return
        wanted = due or (self._last[name] if name in self._lost else None)
        if wanted is None:
            self._lost.discard(name)
            return
        if name in self._lost:
            await self.store.offload(self.store.abort_running, now=now, owner=self.owner, suite=name)
        await self._start(name, scheduled, wanted)
        self._last[name] = wanted
        self._lost.discard(name)

    async def _start(self, name: str, scheduled: ScheduledCheck, due: datetime) -> None:
        grace = scheduled.second_attempt_grace_seconds
        slot = await self._leases.claim(name, due, second_attempt_grace_seconds=grace)
        self.overlaps.begin(name)
        if slot is not None:
            task = asyncio.create_task(self._check(name, scheduled, slot), name=f"check-{name}")
            self._running[name] = task
            task.add_done_callback(lambda _: self._running.pop(name, None))

    async def _check(self, name: str, scheduled: ScheduledCheck, slot: Slot) -> None:
        seed = secrets.randbits(63) if scheduled.run_seed is None else scheduled.run_seed
        log.info("check_started suite=%s slot=%s attempt=%d seed=%d", name, slot.at.isoformat(), slot.attempt, seed)
        try:
            done = await self._leases.hold(slot, scheduled.check.run(Trigger.SCHEDULE, seed=seed, slot=slot))
        except MonitorError as exc:
            log.error("check_failed suite=%s slot=%s error=%s", name, slot.at.isoformat(), exc)
            self._lost.add(name)
            self.news.set()
        except Exception:
            log.exception("check_broke suite=%s slot=%s", name, slot.at.isoformat())
            self._lost.add(name)
            self.news.set()
        else:
            mean = done.summary.mean if done.summary else None
            log.info("check_done suite=%s check_id=%s status=%s mean=%s", name, done.id, done.status, mean)
            self.sender.wake()
            self.on_check(done)

    async def keep_published(self) -> None:
        """Publish anew when there is news, and after a while in any case: another daemon may have run the check."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.news.wait(), self.publish_seconds)
            self.news.clear()
            try:
                await self.publish()
            except StoreFailure as exc:
                log.warning("snapshot_not_taken error=%s", exc)

    async def keep_alerts(self, tick: Callable[[], Awaitable[None]]) -> None:
        """Let time act on open incidents: reminders, escalation, windows that end."""
        while True:
            await asyncio.sleep(ALERT_SECONDS)
            try:
                await tick()
            except StoreFailure as exc:
                log.warning("alerts_not_stepped error=%s", exc)

    async def forget_old(self) -> None:
        """Delete what is past its retention, and reports that no conversation can still want."""
        await forget_old(self.store, self.now, retention_days=self.retention_days, audit_days=self.audit_days)

    async def _keep_forgetting(self) -> None:
        """Once an hour."""
        while True:
            try:
                await self.forget_old()
            except StoreFailure as exc:
                log.warning("retention_failed error=%s", exc)
            await asyncio.sleep(RETENTION_SECONDS)

    async def _watch(self, scheduler: AsyncIOScheduler, stop: asyncio.Event) -> None:
        """Give signs of life while ticks come. The timer waits on the wall clock: after a jump it is set anew."""
        offset = self._wall_offset()
        while not stop.is_set():
            if self.pulse.is_beating:
                self.manager.alive()
            if abs(self._wall_offset() - offset) > CLOCK_JUMP_SECONDS:
                log.warning("clock_jumped seconds=%.0f", self._wall_offset() - offset)
                offset = self._wall_offset()
                self._add_tick(scheduler)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TICK_SECONDS)

    def _wall_offset(self) -> float:
        return self.now().timestamp() - self.pulse.clock()

    @property
    def running(self) -> tuple[asyncio.Task[None], ...]:
        """The checks under way."""
        return tuple(self._running.values())

    @property
    def busy(self) -> tuple[str, ...]:
        """The suites whose checks are under way."""
        return tuple(self._running)

    async def stop_checks(self) -> None:
        """End them; each is stored as aborted, so that its slot can be run again."""
        running = self.running
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _stop_on_signals(stop: asyncio.Event) -> None:
    def handle(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        log.info("daemon_stopping signal=%s", signal.Signals(number).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, handle, number)
