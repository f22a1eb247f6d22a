"""What goes on while the daemon waits for its database or its user model: whom it concerns is told all the same.

Opens that were kept are announced; as soon as the database is there, messages that wait are sent, time acts on open
incidents, and the monitor watches itself. No check runs, and what was kept is written down later, by the daemon.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.bootstrap.operations import open_operations
from monitor.bootstrap.parts import open_notifiers, utc_now
from monitor.bootstrap.publishing import patience_of
from monitor.bootstrap.watching import watching_of
from monitor.config import Config
from monitor.daemon import ALERT_SECONDS, DRAIN_SECONDS
from monitor.delivery import Sender
from monitor.errors import MonitorError, StoreFailure
from monitor.keeping import Keeper
from monitor.notify.contract import ATTEMPT_SECONDS, Notifier
from monitor.operations import Operations
from monitor.rules import nodata
from monitor.rules.monitor import Part
from monitor.selfwatch import EngineLook, Overlaps, SelfWatch, Sources, Watching
from monitor.selfwatch.chronicle import VALID
from monitor.store import Store
from monitor.verdict import Finding, Verdict

log = logging.getLogger(__name__)

ANNOUNCE_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class Vigil:
    """Belongs to one wait. `waits_for` says in words how the user model is; `publish` shows the numbers anew."""

    config: Config
    store: Store
    keeper: Keeper
    notifiers: Mapping[str, Notifier]
    operations: Operations
    owner: str
    waits_for: Callable[[], str]
    publish: Callable[[], Coroutine[object, object, None]]
    _sender: Sender = field(init=False)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _ending: list[asyncio.Task[None]] = field(default_factory=list)
    _endless: list[asyncio.Task[None]] = field(default_factory=list)
    _selfwatch: SelfWatch | None = None
    _failure: str | None = None

    def __post_init__(self) -> None:
        self._sender = Sender(self.store, self.notifiers, owner=self.owner, on_finished=self._news.set)

    def announce(self) -> None:
        """From now on, tell opens that were kept."""
        self.keeper.announcer.notifiers = lambda: self.notifiers
        self._ending.append(_begin("announcing", self._keep_announcing()))

    def tell(self) -> None:
        """From now on, do all that needs the database, and it is there."""
        self._ending.append(_begin("sending", self._sender.run(self._stop)))
        self._selfwatch = self._open_selfwatch()
        endless = {
            "alerts": self._keep_alerts(),
            "selfwatch": self._selfwatch.run(),
            "publishing": self._keep_published(),
        }
        self._endless += [_begin(name, work) for name, work in endless.items()]

    async def give_up(self, failure: MonitorError) -> None:
        """The user model will not come, and the process is about to end: say so, and try everything that is due."""
        if self._selfwatch is None:
            return
        self._failure = str(failure)
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._selfwatch.look()
                if await self.store.offload(self.operations.judge, await self.store.offload(self._missed)):
                    self._tell_of_changes()
        except (StoreFailure, TimeoutError) as exc:
            log.warning("failure_not_told error=%s", exc)
        await self.end(DRAIN_SECONDS)
        await self._sender.drain(DRAIN_SECONDS)

    async def end(self, seconds: float) -> None:
        """Let messages on their way arrive, for so long at most."""
        self._stop.set()
        if self._ending:
            await asyncio.wait(self._ending, timeout=seconds)
        tasks = [*self._ending, *self._endless]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._ending.clear()
        self._endless.clear()

    def _open_selfwatch(self) -> SelfWatch:
        return SelfWatch(
            store=self.store,
            sources=Sources(
                engine=self._engine,
                spool=lambda: (len(self.keeper.spool), self.keeper.spool.lost),
                judge_calls=lambda: (0.0, 0.0),
                problems=tuple,
            ),
            watching=self._watching,
            on_moved=self._tell_of_changes,
            overlaps=Overlaps(),
            clock=time.monotonic,
            now=utc_now,
            host=self.owner.partition(":")[0] if self.store.is_shared else None,
        )

    def _engine(self) -> EngineLook:
        return EngineLook(
            is_up=False,
            patience_seconds=self.config.settings.simulator.engine.startup_timeout_seconds,
            reason=self._failure or self.waits_for(),
            is_final=self._failure is not None,
        )

    def _watching(self) -> Watching:
        """What is kept waits for the user model, and says nothing of the database."""
        watching = watching_of(self.config, self.operations)
        return replace(watching, parts=watching.parts - {Part.STORAGE})

    def _missed(self) -> list[Verdict]:
        """That suites go without a valid check for too long. No check of this process can end any more, so that the
        wall clock is believed.
        """
        now, paused = utc_now(), self._watching().paused
        found = [self._nodata(suite, now) for suite in self.config.suites if paused(suite) is None]
        return [verdict for verdict in found if verdict and verdict.finding is Finding.BREACH]

    def _nodata(self, suite: str, now: datetime) -> Verdict | None:
        patience = patience_of(self.config, suite)
        newest = self.store.checks(suite, limit=1, statuses=VALID, alerting_only=True)
        ended_at = newest[0].finished_at if newest else None
        if patience is None or ended_at is None:
            return None
        return nodata.judge(suite, (now - ended_at).total_seconds(), patience, ended_at)

    def _tell_of_changes(self) -> None:
        self._sender.wake()
        self._news.set()

    async def _keep_announcing(self) -> None:
        while not self._stop.is_set():
            await self.keeper.announce()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), ANNOUNCE_SECONDS)

    async def _keep_alerts(self) -> None:
        while True:
            try:
                if await self.store.offload(self.operations.tick):
                    self._tell_of_changes()
            except StoreFailure as exc:
                log.warning("alerts_not_stepped error=%s", exc)
            await asyncio.sleep(ALERT_SECONDS)

    async def _keep_published(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self.publish()
            except StoreFailure as exc:
                log.warning("snapshot_not_taken error=%s", exc)


@asynccontextmanager
async def keep_vigil(
    config: Config,
    store: Store,
    keeper: Keeper,
    *,
    owner: str,
    base_url: str | None,
    waits_for: Callable[[], str],
    publish: Callable[[], Coroutine[object, object, None]],
) -> AsyncIterator[Vigil]:
    """Over when what was waited for is there, or will never be. Raises ConfigError."""
    async with open_notifiers(config) as notifiers:
        vigil = Vigil(
            config=config,
            store=store,
            keeper=keeper,
            notifiers=notifiers,
            operations=open_operations(config, store, base_url),
            owner=owner,
            waits_for=waits_for,
            publish=publish,
        )
        seconds = DRAIN_SECONDS
        try:
            yield vigil
            seconds = ATTEMPT_SECONDS
        except MonitorError as exc:
            await vigil.give_up(exc)
            raise
        finally:
            await vigil.end(seconds)


def _begin(name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
    """Do it beside; that it breaks ends nothing else."""

    async def run() -> None:
        try:
            await work
        except Exception:
            log.exception("task_broke name=%s", name)

    return asyncio.create_task(run(), name=f"vigil-{name}")
