"""What lives as long as the process: database, listeners, the user model, signs of life and numbers.

None of it is made anew when the configuration is read again; what it needs of one it asks `in_force` for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from monitor.bootstrap.canaries import Use
from monitor.bootstrap.engine import beside, engine_numbers, engine_pages, engine_trouble, open_residency
from monitor.bootstrap.in_force import InForce
from monitor.bootstrap.listeners import open_listeners
from monitor.bootstrap.operations import open_operations
from monitor.bootstrap.parts import owner_name, utc_now
from monitor.bootstrap.publishing import Publisher
from monitor.bootstrap.shared import Shared
from monitor.bootstrap.simulator import Simulator, open_simulator
from monitor.bootstrap.storage import connect_store, is_prepared, keeping_numbers, open_keeper, wait_for
from monitor.bootstrap.vigil import keep_vigil
from monitor.config import Config
from monitor.engine_metrics import EngineMetrics
from monitor.judge_metrics import JudgeMetrics
from monitor.keeping import Keeper
from monitor.metrics import Metrics
from monitor.pulse import Pulse
from monitor.sdnotify import ServiceManager
from monitor.selfwatch import Overlaps, SelfMetrics
from monitor.store import Store
from monitor.web.api import Controls

EXTEND_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """Addresses are None where turned off. `news` is set when there are numbers to publish. Inside of `user_in_use` the
    user can be asked. `store_was_away`: the database had to be waited for.
    """

    in_force: InForce
    store: Store
    store_was_away: bool
    keeper: Keeper
    simulator: Simulator
    user_in_use: Use
    metrics: Metrics
    judging: JudgeMetrics
    publisher: Publisher
    pulse: Pulse
    controls: Controls
    owner: str
    news: asyncio.Event
    metrics_url: str | None
    pages_url: str | None
    overlaps: Overlaps
    self_metrics: SelfMetrics
    shared: Shared = field(default_factory=Shared)


@asynccontextmanager
async def open_foundation(config: Config, manager: ServiceManager) -> AsyncIterator[Foundation]:
    """Web servers first, so that health can be asked while a model is loaded, then what tells people.

    Raises StoreFailure, EngineFailure, CompletionFailure, and MonitorError for an address that is taken.
    """
    async with AsyncExitStack() as stack:
        in_force = InForce(config=config, loaded_at=utc_now())
        pulse, controls, owner = Pulse(time.monotonic), Controls(), owner_name()
        store = connect_store(config, stack)
        was_there = await is_prepared(store, pulse)
        keeper: Keeper | None = None
        simulator: Simulator | None = None
        engines, judging = EngineMetrics(engine_pages(config, stack)), JudgeMetrics()
        overlaps = Overlaps()
        own = SelfMetrics(overlaps, lambda: in_force.config.suites)
        metrics = Metrics(
            lambda: _live(in_force, store, pulse) | keeping_numbers(keeper) | engine_numbers(config, simulator),
            engines=lambda: chain(engines.families(), judging.families(), own.families()),
        )
        metrics_url, pages_url = open_listeners(in_force, stack, store, metrics, pulse, controls)
        controls.operations = partial(open_operations, config, store, pages_url)
        publisher = Publisher(store, metrics, judging)
        publisher.follow(config)
        keeper = open_keeper(config, store, stack)
        async with keep_vigil(
            config,
            store,
            keeper,
            owner=owner,
            base_url=pages_url,
            waits_for=lambda: pulse.reason,
            publish=publisher.publish,
        ) as vigil:
            vigil.announce()
            if not was_there:
                await wait_for(store, pulse, manager)
            # What was measured before, and that it grows old, is told while a model is loaded.
            await publisher.publish()
            if config.settings.simulator.kind != "scripted":
                vigil.tell()
            simulator = await stack.enter_async_context(
                open_simulator(config, is_daemon=True, on_wait=_waiting(pulse, manager))
            )
        pulse.hindrance = partial(engine_trouble, simulator.supervisor)
        residency = open_residency(in_force, simulator.supervisor, stack)
        beside(stack, engines.keep_fresh(), "engine-metrics")
        pulse.reason = "starting"
        yield Foundation(
            in_force=in_force,
            store=store,
            store_was_away=not was_there,
            keeper=keeper,
            simulator=simulator,
            user_in_use=residency.in_use if residency else nullcontext,
            metrics=metrics,
            judging=judging,
            publisher=publisher,
            pulse=pulse,
            controls=controls,
            owner=owner,
            news=asyncio.Event(),
            metrics_url=metrics_url,
            pages_url=pages_url,
            overlaps=overlaps,
            self_metrics=own,
        )


def _live(in_force: InForce, store: Store, pulse: Pulse) -> dict[str, float]:
    return {
        "store_reachable": float(store.is_reachable),
        "heartbeat_age_seconds": pulse.age_seconds,
        **in_force.numbers(),
    }


def _waiting(pulse: Pulse, manager: ServiceManager) -> Callable[[float], None]:
    """Tells how long the user model has been loading."""

    def wait(seconds: float) -> None:
        if not pulse.is_ready:
            pulse.reason = f"the user model has been loading for {seconds:.0f} s"
            manager.starting(pulse.reason, EXTEND_SECONDS)

    return wait
