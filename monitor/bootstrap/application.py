"""The monitor put together: what lives as long as the process, and on it what one configuration watches."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from monitor.bootstrap.controls import connect
from monitor.bootstrap.equals import watched_elsewhere
from monitor.bootstrap.foundation import Foundation, open_foundation
from monitor.bootstrap.parts import utc_now
from monitor.bootstrap.reloading import Reloading, ReloadResult
from monitor.bootstrap.selfwatch import open_dead_man, open_selfwatch
from monitor.bootstrap.watch import Watch, open_watch
from monitor.check import CheckRecord
from monitor.config import Config
from monitor.config.reload import read_again
from monitor.daemon import Daemon
from monitor.delivery import Sender
from monitor.errors import ConfigError, StoreFailure
from monitor.healthcheck import HealthCheck
from monitor.http import HttpClient
from monitor.operations import Operations
from monitor.sdnotify import ServiceManager
from monitor.selfwatch import watchdog
from monitor.studies.canaries import CanaryStudy

log = logging.getLogger(__name__)

RETIRE_AGAIN_SECONDS = 15.0


class Application:
    """A monitor that runs: its checks, its outbox and what the world sees. Addresses are None where turned off.

    `news` is set when a message was delivered, for whoever publishes numbers. `env` is where secrets may be, and
    `on_config` hears of each configuration that is about to take another's place.
    """

    def __init__(
        self,
        foundation: Foundation,
        watch: Watch,
        manager: ServiceManager,
        *,
        env: Mapping[str, str],
        on_config: Callable[[Config], None],
    ) -> None:
        self.store, self.metrics, self.pulse = foundation.store, foundation.metrics, foundation.pulse
        self.owner, self.news, self.publish = foundation.owner, foundation.news, foundation.publisher.publish
        self.metrics_url, self.pages_url = foundation.metrics_url, foundation.pages_url
        self.sender = Sender(self.store, watch.notifiers, owner=self.owner, on_finished=self.news.set)
        foundation.keeper.serve(lambda: self._watch.checks, lambda: self._watch.notifiers, self.tell_of_changes)
        self._foundation = foundation
        self._watch = watch
        self._manager = manager
        self.selfwatch = open_selfwatch(foundation, lambda: self._watch, self.tell_of_changes)
        self._http = HttpClient()
        self._dead_man = open_dead_man(foundation, self._http)
        self._daemon: Daemon | None = None
        self._left: list[Watch] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._is_left_to_others = False
        self._reloading = Reloading(
            in_force=foundation.in_force,
            read=partial(read_again, env=env),
            hand_over=self._hand_over,
            on_config=on_config,
        )

    @property
    def config(self) -> Config:
        """The configuration that holds now."""
        return self._watch.config

    @property
    def checks(self) -> Mapping[str, HealthCheck]:
        """Each suite's, by its name."""
        return self._watch.checks

    @property
    def operations(self) -> Operations:
        """What people and time do to alerts."""
        return self._watch.operations

    @property
    def canaries(self) -> CanaryStudy | None:
        """None: they are not scored."""
        return self._watch.canaries

    def daemon(
        self,
        manager: ServiceManager,
        *,
        beside: Sequence[Callable[[], Coroutine[object, object, None]]] = (),
        watchdog_seconds: float = watchdog.LIMIT_SECONDS,
    ) -> Daemon:
        """The application run by the clock, and what is to run `beside` it. Raises ConfigError without a schedule.

        Without progress for `watchdog_seconds` the process ends.
        """
        settings = self.config.settings
        guard = watchdog.Watchdog(pulse=self.pulse, limit_seconds=watchdog_seconds)
        self._daemon = Daemon(
            suites=self._watch.scheduled(),
            store=self.store,
            sender=self.sender,
            pulse=self.pulse,
            manager=manager,
            owner=self.owner,
            now=utc_now,
            retire=self.retire_alerts,
            tick_alerts=self.tick_alerts,
            publish=self.publish,
            news=self.news,
            retention_days=settings.store.retention_days,
            audit_days=settings.store.audit_days,
            lease_seconds=settings.store.lease_seconds,
            keeper=self._foundation.keeper,
            store_was_away=self._foundation.store_was_away,
            canaries=self.canaries,
            canary_seconds=settings.canaries.every_seconds,
            beside=[*beside, guard.run, self.selfwatch.run, self._dead_man.run],
            overlaps=self._foundation.overlaps,
            on_check=self._note_check,
        )
        return self._daemon

    def _note_check(self, check: CheckRecord) -> None:
        self.selfwatch.note_check(check)
        self._dead_man.note()

    async def reload(self) -> ReloadResult:
        """Read the configuration anew and go on with it, or with the one before if it is refused.

        Attempts wait for each other. A check that runs ends as it began.
        """
        is_told = self.pulse.is_ready
        if is_told:
            self._manager.reloading()
        result = await self._reloading.reload()
        if is_told and self.pulse.is_ready:
            refused = "" if result.ok else "; the newest configuration was refused, the log says why"
            self._manager.ready(f"watching {', '.join(self.config.suites)}{refused}")
        return result

    async def reload_whenever(self, wanted: asyncio.Event) -> None:
        """Reload each time that the event is set, until cancelled."""
        while True:
            await wanted.wait()
            wanted.clear()
            result = await self.reload()
            with suppress(StoreFailure):  # what holds now holds, also while the database is away
                await self.store.offload(self.operations.note_reload, by="SIGHUP", is_refused=not result.ok)

    async def problems_of_reload(self) -> Sequence[str]:
        """Reload; the problems for which it was refused, none if it was taken."""
        return (await self.reload()).problems

    async def _hand_over(self, config: Config) -> None:
        """Open what it names, and only then let it take its place. Raises ConfigError."""
        new = await open_watch(config, self._foundation)
        try:
            suites = new.scheduled() if self._daemon else {}
        except ConfigError:
            await new.aclose()
            raise
        old, self._watch = self._watch, new
        self._left.append(old)
        self._foundation.in_force.take(config, utc_now())
        self._foundation.publisher.follow(config)
        self.sender.follow(new.notifiers)
        under_way: Collection[asyncio.Task[Any]] = ()
        if self._daemon:
            under_way = await self._daemon.follow(suites, new.canaries, config.settings.canaries.every_seconds)
        self.tell_of_changes()
        await self._retire_or_say(spared=self._daemon.busy if self._daemon else ())
        leaving = asyncio.create_task(self._leave(old, under_way), name="leave-configuration")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, old: Watch, under_way: Collection[asyncio.Task[Any]]) -> None:
        """End what was watched before, once nothing runs on it; then nothing brings up any more what is gone."""
        try:
            if under_way:
                await asyncio.wait(under_way)
            await self.sender.finish_under_way()
            self._foundation.publisher.follow(self.config)
            self._left.remove(old)
            await old.aclose()
            while not await self._retire_or_say():  # noqa: ASYNC110  a database that is back announces nothing
                await asyncio.sleep(RETIRE_AGAIN_SECONDS)
        except Exception:
            log.exception("configuration_not_left content=%s", old.config.content_hash)

    async def aclose(self) -> None:
        """End what is watched."""
        for leaving in (tasks := [*self._leaving]):
            leaving.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for watch in (*self._left, self._watch):
            await watch.aclose()
        await self._http.aclose()

    async def retire_alerts(self) -> None:
        """Close the alerts of suites, intents and rules that are not configured any more: whoever was paged is told."""
        await self._step_alerts(self._retire)

    async def tick_alerts(self) -> None:
        """Let time act on open incidents."""
        await self._step_alerts(self.operations.tick)
        if self._is_left_to_others:
            await self._step_alerts(partial(self._retire, self._daemon.busy if self._daemon else ()))

    def _retire(self, spared: Collection[str] = ()) -> int:
        """What equals of this daemon watch under another configuration is left alone for as long as they do."""
        elsewhere = watched_elsewhere(self.store, self.config.suites, host=self.owner.partition(":")[0], now=utc_now())
        if elsewhere and not self._is_left_to_others:
            log.warning("alerts_left_to_others scopes=%s", ",".join(sorted(elsewhere)))
        self._is_left_to_others = bool(elsewhere)
        return self.operations.retire(spared={*spared, *elsewhere})

    async def _retire_or_say(self, spared: Collection[str] = ()) -> bool:
        try:
            await self._step_alerts(partial(self._retire, spared))
        except StoreFailure as exc:
            log.warning("alerts_not_retired error=%s", exc)
            return False
        return True

    async def _step_alerts(self, step: Callable[[], int]) -> None:
        if await self.store.offload(step):
            self.tell_of_changes()

    def tell_of_changes(self) -> None:
        """Send what alerts put into the outbox, and publish the numbers anew."""
        self.sender.wake()
        self.news.set()


@asynccontextmanager
async def open_application(
    config: Config,
    manager: ServiceManager,
    *,
    env: Mapping[str, str] = os.environ,
    on_config: Callable[[Config], None] = lambda _: None,
) -> AsyncIterator[Application]:
    """Everything that the daemon needs.

    Raises StoreFailure, EngineFailure, CompletionFailure, and MonitorError for an address that is taken.
    """
    async with open_foundation(config, manager) as foundation:
        watch = await open_watch(config, foundation)
        application = Application(foundation, watch, manager, env=env, on_config=on_config)
        try:
            connect(
                foundation.controls,
                asyncio.get_running_loop(),
                operations=lambda: application.operations,
                changed=application.tell_of_changes,
                reload=application.problems_of_reload,
            )
            yield application
        finally:
            await application.aclose()
