"""The database of a daemon, waited for where it is away at the start, and what keeps checks while it is away later."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import AsyncExitStack

from monitor.bootstrap.parts import utc_now
from monitor.config import Config
from monitor.delivery_rules import backoff_seconds
from monitor.errors import StoreForbidden, StoreUnavailable
from monitor.keeping import Announcer, Keeper
from monitor.pulse import Pulse
from monitor.sdnotify import ServiceManager
from monitor.store import Spool, Store

log = logging.getLogger(__name__)

SPOOL = "spool"
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 5.0
EXTEND_SECONDS = 60.0


def connect_store(config: Config, stack: AsyncExitStack) -> Store:
    """The database of the configuration, not looked at yet; closed with the stack. Raises ConfigError."""
    store = Store.connect(config.store_url.reveal())
    stack.callback(store.close)
    return store


async def is_prepared(store: Store, pulse: Pulse) -> bool:
    """Whether it is there and ready to be used; told where it is not. Raises StoreFailure where waiting is vain."""
    try:
        await store.offload(store.prepare)
    except StoreForbidden:
        raise
    except StoreUnavailable as exc:
        if pulse.reason != (reason := f"waiting for the database: {exc}"):
            log.warning("store_away reason=%s", exc)
            pulse.reason = reason
        return False
    return True


async def wait_for(store: Store, pulse: Pulse, manager: ServiceManager) -> None:
    """Try until it is there, at longer and longer intervals. Raises StoreFailure where waiting is vain."""
    pause, began = FIRST_PAUSE_SECONDS, pulse.clock()
    try:
        while not await is_prepared(store, pulse):
            manager.starting(pulse.reason, EXTEND_SECONDS)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  spreads daemons, guards nothing
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
    except asyncio.CancelledError:
        log.info("daemon_stopping waiting_for=database")
        raise
    log.info("store_back seconds=%.0f", pulse.clock() - began)
    pulse.reason = "starting"


def open_keeper(config: Config, store: Store, stack: AsyncExitStack) -> Keeper:
    """What was kept when the last process ended is in it; `serve` gives it channels and suites when they are there."""
    spool = Spool(config.settings.state_dir / SPOOL)
    spool.open()
    stack.callback(spool.close)
    return Keeper(
        store=store,
        spool=spool,
        announcer=Announcer(
            now=utc_now,
            clock=time.monotonic,
            pause=lambda attempts: backoff_seconds(attempts, random.random()),  # noqa: S311  spreads retries
        ),
    )


def keeping_numbers(keeper: Keeper | None) -> dict[str, float]:
    """For `/metrics`; nothing before the spool was looked at."""
    if keeper is None:
        return {}
    return {"spool_entries": float(len(keeper.spool)), "spool_lost_total": float(keeper.spool.lost)}
