"""Scores the canaries beside the checks: at the start, at intervals, and under every new epoch.

Knows tasks and time; it does not know what a check does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from monitor.errors import MonitorError
from monitor.studies.canaries import CanaryStudy

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 3600.0
"""A run of the canaries waits so long for checks to end, all in all; then it goes on beside them."""
RETRY_SECONDS = 900.0


@dataclass(slots=True, kw_only=True)
class CanaryWatch:
    """Runs `study` every `every_seconds`; None: nothing is scored. `checks` gives the checks under way, `on_scored` is
    called after each run that was stored. `clock` tells monotonic seconds; `scoring` is the run under way.
    """

    study: CanaryStudy | None
    every_seconds: float
    checks: Callable[[], Collection[asyncio.Task[None]]]
    clock: Callable[[], float]
    on_scored: Callable[[], None]
    scoring: asyncio.Task[bool] | None = None
    _followed: asyncio.Event = field(default_factory=asyncio.Event)

    def follow(self, study: CanaryStudy | None, every_seconds: float) -> None:
        """Watch this from now on: another epoch is scored at once, the same one in its time."""
        self.study, self.every_seconds = study, every_seconds
        self._followed.set()

    async def run(self) -> None:
        """Score at the start, at intervals and under a new epoch; what failed is tried again sooner."""
        while True:
            study, every = self.study, self.every_seconds
            is_done = study is None or await self._scored(study)
            await self._wait_with(study, every, every if is_done else min(RETRY_SECONDS, every))

    async def score(self, study: CanaryStudy) -> bool:
        """One at a time, and none begins while a check runs; whether they were scored and stored."""
        patience = self.clock() + PATIENCE_SECONDS

        async def quiet() -> None:
            await asyncio.sleep(0)
            while (checks := self.checks()) and (left := patience - self.clock()) > 0:
                await asyncio.wait(checks, timeout=left)

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
        self.on_scored()
        return True

    async def _scored(self, study: CanaryStudy) -> bool:
        self.scoring = asyncio.create_task(self.score(study), name="canaries")
        try:
            return await self.scoring
        finally:
            self.scoring = None

    async def _wait_with(self, study: CanaryStudy | None, every: float, seconds: float) -> None:
        """Until the time has passed, or others are to be scored, or at other intervals."""
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while (left := end - clock()) > 0 and (_epoch(self.study), self.every_seconds) == (_epoch(study), every):
            self._followed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._followed.wait(), left)


def _epoch(study: CanaryStudy | None) -> str | None:
    return study.epoch if study else None
