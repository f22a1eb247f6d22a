"""What the watch over the monitor itself is to look at under one configuration."""

from __future__ import annotations

from functools import partial

from monitor.bootstrap.publishing import patience_of, why_paused
from monitor.config import Config
from monitor.config.own_parts import own_parts
from monitor.operations import Operations
from monitor.selfwatch import Watching


def watching_of(config: Config, operations: Operations) -> Watching:
    """Its suites and its parts; what is found goes to these operations."""
    return Watching(
        suites={suite: patience_of(config, suite) for suite in config.suites},
        parts=own_parts(config.settings),
        canary_seconds=config.settings.canaries.every_seconds,
        paused=partial(why_paused, config),
        judge=operations.judge,
    )
