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
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from monitor.check import Slot, Trigger
from monitor.delivery import Sender
from monitor.errors import MonitorError, StoreFailure
from monitor.healthcheck import HealthCheck
from monitor.schedule import Schedule, due_slot
from monitor.sdnotify import ServiceManager
from monitor.store import Store
from monitor.studies.canaries import CanaryStudy

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
STALLED_SECONDS = 60.0
CLOCK_JUMP_SECONDS = 60.0
DRAIN_SECONDS = 5.0
RETENTION_SECONDS = 3600.0
PUBLISH_SECONDS = 60.0
ALERT_SECONDS = 15.0
RETENTION_BATCH = 200
REPORTS_KEPT = timedelta(days=1)
"""Tool calls that were reported: longer than any conversation lasts, which has them in its transcript then."""
LEASE_MARGIN_SECONDS = 60.0
CANARY_PATIENCE_SECONDS = 3600.0
"""A run of the canaries waits so long for checks to end, all in all; then it goes on beside them."""
CANARY_RETRY_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledCheck:
    """A suite that is run by the clock. `run_seed` None: a fresh one for each check. `user_wait_seconds` is how long a
    check may wait for its user before its own time begins.
    """

    check: HealthCheck
    schedule: Schedule
    second_attempt_grace_seconds: float
    run_seed: int | None = None
    user_wait_seconds: float = 0.0


@dataclass(slots=True)
class Pulse:
    """When the daemon last did something, on the monotonic clock; read by other threads."""

    clock: Callable[[], float]
    beat_at: float | None = None
    is_ready: bool = False
    reason: str = "starting"

    def beat(self) -> None:
        """Note progress."""
        self.beat_at = self.clock()

    @property
    def age_seconds(self) -> float:
        """Time since the last progress; 0 until the daemon has begun."""
        return 0.0 if self.beat_at is None else self.clock() - self.beat_at

    @property
    def is_beating(self) -> bool:
        """Whether there was progress of late; True until the daemon has begun."""
        return self.age_seconds < STALLED_SECONDS


@dataclass(slots=True, kw_only=True)
class Daemon:
    """Runs scheduled checks until a signal. `retire` closes alerts of suites that are watched no more.

    `news` is set when there is something to publish that no check publishes itself: a message was delivered, or a check
    broke off. `tick_alerts` lets time act on open incidents. `canaries` are scored every `canary_seconds`; None: not at
    all.
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
    tick_alerts: Callable[[], Awaitable[None]] | None = None
    drain_seconds: float = DRAIN_SECONDS
    publish_seconds: float = PUBLISH_SECONDS
    canaries: CanaryStudy | None = None
    canary_seconds: float = 86_400.0
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _last: dict[str, datetime | None] = field(default_factory=dict)
    _lost: set[str] = field(default_factory=set)
    _store_is_away: bool = False

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT; a second signal ends the process at once."""
        stop = asyncio.Event()
        _stop_on_signals(stop)
        aborted = await self.store.offload(self.store.abort_running, now=self.now())
        if aborted:
            log.warning("checks_aborted count=%d reason=left_running", aborted)
        await self.retire()
        await self.publish()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self.sender.run(stop))
            beside = [group.create_task(self._keep_forgetting()), group.create_task(self.keep_published())]
            beside += [group.create_task(self.watch_canaries(self.canaries))] if self.canaries else []
            beside += [group.create_task(self.keep_alerts(self.tick_alerts))] if self.tick_alerts else []
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

    async def tick(self) -> None:
        """Start every suite that is due and not running. While the database is away, it is tried again."""
        failures = []
        for name, scheduled in self.suites.items():
            try:
                await self._start_if_due(name, scheduled)
            except StoreFailure as exc:
                failures.append(f"{name}: {exc}")
        if failures and not self._store_is_away:
            log.warning("slots_not_claimed error=%s", "; ".join(failures))
        elif self._store_is_away and not failures:
            log.info("slots_claimed_again")
        self._store_is_away = bool(failures)
        self.pulse.beat()

    async def _start_if_due(self, name: str, scheduled: ScheduledCheck) -> None:
        now = self.now()
        if name not in self._last:
            self._last[name] = await self.store.offload(self.store.last_slot, name)
            self._lost.add(name)  # the newest slot may have been lost with the process that ran it
        due = due_slot(scheduled.schedule, self._last[name], now)
        if name in self._running:
            if due is not None:
                log.warning("check_overlaps suite=%s skipped_slot=%s", name, due.isoformat())
                self._last[name] = due
            return
        wanted = due or (self._last[name] if name in self._lost else None)
        if wanted is None:
            self._lost.discard(name)
            return
        if due is None and not self._running:
            await self.store.offload(self.store.abort_running, now=now, owner=self.owner)
        await self._start(name, scheduled, wanted, now)
        self._last[name] = wanted
        self._lost.discard(name)

    async def _start(self, name: str, scheduled: ScheduledCheck, due: datetime, now: datetime) -> None:
        slot = await self.store.offload(
            self.store.claim_slot,
            name,
            due,
            owner=self.owner,
            now=now,
            lease_seconds=scheduled.user_wait_seconds + scheduled.check.suite.timeout_seconds + LEASE_MARGIN_SECONDS,
            second_attempt_grace_seconds=scheduled.second_attempt_grace_seconds,
        )
        if slot is not None:
            task = asyncio.create_task(self._check(name, scheduled, slot), name=f"check-{name}")
            self._running[name] = task
            task.add_done_callback(lambda _: self._running.pop(name, None))

    async def _check(self, name: str, scheduled: ScheduledCheck, slot: Slot) -> None:
        seed = secrets.randbits(63) if scheduled.run_seed is None else scheduled.run_seed
        log.info("check_started suite=%s slot=%s attempt=%d seed=%d", name, slot.at.isoformat(), slot.attempt, seed)
        try:
            done = await scheduled.check.run(Trigger.SCHEDULE, seed=seed, slot=slot)
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

    async def watch_canaries(self, study: CanaryStudy) -> None:
        """Score the canaries at the start and at every interval; what failed is tried again sooner."""
        while True:
            is_done = await self.score_canaries(study)
            await asyncio.sleep(self.canary_seconds if is_done else min(CANARY_RETRY_SECONDS, self.canary_seconds))

    async def score_canaries(self, study: CanaryStudy) -> bool:
        """One at a time, and none begins while a check runs; whether they were scored and stored."""
        patience = self.pulse.clock() + CANARY_PATIENCE_SECONDS

        async def quiet() -> None:
            await asyncio.sleep(0)
            while self._running and (left := patience - self.pulse.clock()) > 0:
                await asyncio.wait(self.running, timeout=left)

        try:
            run = await study.run(before_each=quiet)
        except MonitorError as exc:
            log.warning("canaries_not_scored error=%s", exc)
            return False
        except Exception:
            log.exception("canaries_broke")
            return False
        level = logging.ERROR if run.is_sick else logging.INFO
        log.log(
            level, "canaries_scored scored=%d auc=%s sick=%s reason=%s", run.scored, run.auc, run.is_sick, run.reason
        )
        self.news.set()
        return True

    async def forget_old(self) -> None:
        """Delete conversations and runs of the canaries past their retention, and reports that no conversation can
        still want.
        """
        await self._forget(self.store.retire, timedelta(days=self.retention_days))
        await self._forget(self.store.retire_reported, REPORTS_KEPT)
        await self._forget(self.store.retire_canary_runs, timedelta(days=self.retention_days))

    async def _keep_forgetting(self) -> None:
        """Once an hour."""
        while True:
            try:
                await self.forget_old()
            except StoreFailure as exc:
                log.warning("retention_failed error=%s", exc)
            await asyncio.sleep(RETENTION_SECONDS)

    async def _forget(self, retire: Callable[..., int], kept: timedelta) -> None:
        """In small batches, so that nobody waits long for the database."""
        retired = RETENTION_BATCH
        while retired == RETENTION_BATCH:
            retired = await self.store.offload(retire, older_than=self.now() - kept, batch=RETENTION_BATCH)

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
