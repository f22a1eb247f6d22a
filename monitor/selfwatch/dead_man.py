"""The dead man's switch: a ping to a service outside after each whole cycle, which calls when pings stop coming.

A cycle is whole when a check is stored and decided, and every message was tried. Knows nothing of checks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from monitor.errors import HttpFailure, StoreFailure
from monitor.http import HttpClient

log = logging.getLogger(__name__)

ATTEMPTS = 3
PAUSE_SECONDS = 2.0
SETTLE_SECONDS = 60.0
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to ping; the address may be a secret. `timeout_seconds` is for one attempt."""

    url: str = field(repr=False)
    timeout_seconds: float


@dataclass(slots=True, kw_only=True)
class DeadMan:
    """`target` gives that of the moment (None: nobody is pinged); `is_settled` whether nothing waits to be stored or to
    be tried; `count` hears of each ping whether it was taken.
    """

    http: HttpClient
    target: Callable[[], Target | None]
    is_settled: Callable[[], Awaitable[bool]]
    count: Callable[[bool], None]
    pause_seconds: float = PAUSE_SECONDS
    settle_seconds: float = SETTLE_SECONDS
    look_seconds: float = LOOK_SECONDS
    _cycles: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self) -> None:
        """A check is over."""
        self._cycles.set()

    async def run(self) -> None:
        """Ping after each cycle, until cancelled. Cycles that end while one is told of are told of together."""
        while True:
            await self._cycles.wait()
            self._cycles.clear()
            target = self.target()
            if target is None:
                continue
            try:
                if await self._has_settled():
                    await self._ping(target)
                else:
                    log.warning("dead_man_not_pinged reason=messages or checks still wait")
            except Exception:
                log.exception("dead_man_broke")

    async def _has_settled(self) -> bool:
        """Whether the cycle becomes whole in time."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.settle_seconds
        while not await self._is_settled():
            if clock() >= deadline:
                return False
            await asyncio.sleep(self.look_seconds)
        return True

    async def _is_settled(self) -> bool:
        try:
            return await self.is_settled()
        except StoreFailure:
            return False

    async def _ping(self, target: Target) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            error = await self._attempt(target)
            if error is None:
                self.count(True)
                return
            if attempt < ATTEMPTS:
                await asyncio.sleep(self.pause_seconds)
        log.warning("dead_man_ping_failed attempts=%d error=%s", ATTEMPTS, error)
        self.count(False)

    async def _attempt(self, target: Target) -> str | None:
        """None, or why it was not taken. Only the kind of a failure: its detail may quote the address."""
        try:
            answer = await self.http.request("GET", target.url, deadline_seconds=target.timeout_seconds)
        except HttpFailure as exc:
            return exc.kind
        return None if 200 <= answer.status < 300 else f"HTTP {answer.status}"
