"""Hands the numbers of all suites from the store to `/metrics`, as the configuration in force wants them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from monitor.assistants.limits import KillSwitch
from monitor.bootstrap.canaries import has_canaries
from monitor.bootstrap.parts import channel_names, utc_now
from monitor.check import Snapshot, Watched
from monitor.config import Config
from monitor.errors import Stopped
from monitor.judge_metrics import JudgeMetrics
from monitor.metrics import Metrics
from monitor.rules.nodata import Patience
from monitor.schedule import longest_pause
from monitor.store import Store


class Publisher:
    """Belongs to the daemon's loop."""

    def __init__(self, store: Store, metrics: Metrics, judging: JudgeMetrics) -> None:
        self._store = store
        self._metrics = metrics
        self._judging = judging
        self._watched: Mapping[str, Watched] = {}
        self._has_canaries = False
        self._paused: Callable[[str], str | None] = lambda _: None

    def follow(self, config: Config) -> None:
        """Publish what this configuration watches from now on, and nothing of what it does not."""
        self._watched = {name: _watched(config, name) for name in config.suites}
        self._paused = partial(why_paused, config)
        self._has_canaries = has_canaries(config)
        self._metrics.watch(config.suites, channel_names(config))
        judge = config.settings.judge
        self._judging.is_shown, self._judging.has_prices = judge is not None, bool(judge and judge.prices)

    async def publish(self) -> None:
        """Take a snapshot and show it. Raises StoreFailure."""
        snapshot = await self._store.offload(self._take)
        self._metrics.publish(snapshot if self._has_canaries else replace(snapshot, canaries=None))

    def _take(self) -> Snapshot:
        """Nothing is expected of a suite while it is paused."""
        watched = {
            suite: replace(expected, stale_after_seconds=None, is_paused=True) if self._paused(suite) else expected
            for suite, expected in self._watched.items()
        }
        return self._store.snapshot(watched, now=utc_now())


def patience_of(config: Config, suite_name: str) -> Patience | None:
    """How long a suite may go without a valid check: two slots may be lost. None: it has no schedule."""
    suite, schedule = config.settings.suites[suite_name], config.schedules[suite_name]
    if schedule is None:
        return None
    pause = longest_pause(schedule, utc_now()).total_seconds()
    check_seconds = suite.timeout_seconds + suite.second_attempt_grace_seconds
    return Patience(limit_seconds=2 * pause + check_seconds, check_seconds=check_seconds)


def why_paused(config: Config, suite_name: str) -> str | None:
    """Why nothing is asked of a suite's assistant, on purpose; None: it is asked. Looks for a file."""
    settings = config.settings.assistants[config.suites[suite_name].assistant]
    try:
        KillSwitch(enabled=settings.enabled, file=settings.kill_switch_file).refuse_if_thrown()
    except Stopped as stopped:
        return stopped.detail
    return None


def _watched(config: Config, suite_name: str) -> Watched:
    """What is expected of a suite."""
    patience = patience_of(config, suite_name)
    stale_after = patience.limit_seconds if patience else None
    return Watched(threshold=config.suites[suite_name].threshold, stale_after_seconds=stale_after)
