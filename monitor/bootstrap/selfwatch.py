"""The monitor's watch over itself, put together: where it asks, what it watches, and the dead man's switch."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from monitor.bootstrap.foundation import Foundation
from monitor.bootstrap.parts import utc_now
from monitor.bootstrap.simulator import Simulator
from monitor.bootstrap.watch import Watch
from monitor.bootstrap.watching import watching_of
from monitor.config import Config
from monitor.http import HttpClient
from monitor.incident import NotificationStatus
from monitor.selfwatch import EngineLook, SelfWatch, Sources, Watching
from monitor.selfwatch.dead_man import DeadMan, Target
from monitor.supervisor import EngineState

POOL_PATIENCE_SECONDS = 300.0


def open_selfwatch(foundation: Foundation, watch: Callable[[], Watch], on_moved: Callable[[], None]) -> SelfWatch:
    """`watch` gives what is watched now."""
    judging, keeper = foundation.judging, foundation.keeper
    sources = Sources(
        engine=lambda: engine_look(foundation.in_force.config, foundation.simulator),
        spool=lambda: (len(keeper.spool), keeper.spool.lost),
        judge_calls=judging.calls,
        problems=lambda: foundation.in_force.problems,
    )
    return SelfWatch(
        store=foundation.store,
        sources=sources,
        watching=_Watched(watch),
        on_moved=on_moved,
        overlaps=foundation.overlaps,
        clock=time.monotonic,
        now=utc_now,
        host=foundation.owner.partition(":")[0] if foundation.store.is_shared else None,
    )


def open_dead_man(foundation: Foundation, http: HttpClient) -> DeadMan:
    """It follows the configuration in force."""

    def target() -> Target | None:
        settings = foundation.in_force.config.settings.notify.dead_man
        return Target(url=settings.address.reveal(), timeout_seconds=settings.timeout_seconds) if settings else None

    return DeadMan(
        http=http,
        target=target,
        is_settled=partial(_is_settled, foundation),
        count=lambda is_ok: foundation.self_metrics.count_ping(is_ok=is_ok),
    )


def engine_look(config: Config, simulator: Simulator) -> EngineLook | None:
    """The server of the user model, the daemon's child or others; None where users have none."""
    patience = config.settings.simulator.engine.startup_timeout_seconds
    if simulator.supervisor is not None:
        engine = simulator.supervisor
        return EngineLook(
            is_up=engine.state in (EngineState.READY, EngineState.UNLOADED),
            patience_seconds=patience,
            restarts=engine.restarts,
            reason=f"the engine is {engine.state}" + (f": {engine.reason}" if engine.reason else ""),
            is_final=engine.state is EngineState.FAILED,
        )
    if simulator.client is None or simulator.client.is_answered is None:
        return None
    return EngineLook(
        is_up=simulator.client.is_answered,
        patience_seconds=min(patience, POOL_PATIENCE_SECONDS),
        reason="no server of the user model answers",
    )


class _Watched:
    """What the configuration of the moment wants watched, made anew when it is another."""

    def __init__(self, watch: Callable[[], Watch]) -> None:
        self._watch = watch
        self._of: Watch | None = None
        self._known: Watching | None = None

    def __call__(self) -> Watching:
        watch = self._watch()
        if self._known is None or watch is not self._of:
            self._of = watch
            self._known = watching_of(watch.config, watch.operations)
        return self._known


async def _is_settled(foundation: Foundation) -> bool:
    """Whether nothing is kept for the database, and the first message of each queue was tried at least once."""
    if not foundation.keeper.is_clear:
        return False
    store = foundation.store
    rows = await store.offload(partial(store.undelivered, since=utc_now()))
    heads = {(row.channel, row.dedup_key): row for row in reversed(rows) if row.status is NotificationStatus.PENDING}
    return all(head.attempts for head in heads.values())
