"""Reading the configuration anew while the monitor runs: one attempt at a time, all of it or nothing.

Knows neither files nor what a configuration is made into: it is given ways to read one and to hand over to it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from monitor.bootstrap.in_force import InForce
from monitor.bootstrap.parts import utc_now
from monitor.config import Config
from monitor.config.reload import is_same
from monitor.errors import ConfigError, MonitorError

log = logging.getLogger(__name__)

BROKE = "something broke in the monitor while it took the configuration; its log says what"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadResult:
    """What became of an attempt. `problems` have file, line and key; none if it was taken. `changed`: another
    configuration holds now; False where the files hold what they held.
    """

    changed: bool = False
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether what the files say holds now."""
        return not self.problems


@dataclass(slots=True, kw_only=True)
class Reloading:
    """`read` gives the configuration as its files are now; it blocks, and raises ConfigError. `hand_over` lets one take
    the place of the one before, or raises MonitorError and leaves all as it was. `on_config` hears of one before it is
    used, for whoever writes the log.
    """

    in_force: InForce
    read: Callable[[Config], Config]
    hand_over: Callable[[Config], Awaitable[None]]
    on_config: Callable[[Config], None]
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reload(self) -> ReloadResult:
        """One attempt, after those before it."""
        async with self._one_at_a_time:
            try:
                return await self._attempt()
            except ConfigError as exc:
                problems = tuple(exc.problems)
            except MonitorError as exc:
                problems = (str(exc),)
            except Exception:
                log.exception("config_broke path=%s", self.in_force.config.path)
                problems = (BROKE,)
            self.in_force.refuse(problems)
            log.error("config_refused problems=%d: %s", len(problems), "; ".join(problems))
            return ReloadResult(problems=problems)

    async def _attempt(self) -> ReloadResult:
        old = self.in_force.config
        new = await asyncio.to_thread(self.read, old)
        if is_same(old, new):
            self.in_force.take(old, utc_now())
            log.info("config_unchanged path=%s content=%s", old.path, old.content_hash)
            return ReloadResult()
        # What goes on under the old one may still say its secrets.
        self.on_config(replace(new, secrets=tuple(dict.fromkeys((*new.secrets, *old.secrets)))))
        try:
            await self.hand_over(new)
        except BaseException:
            self.on_config(old)
            raise
        log.info("config_loaded path=%s content=%s suites=%s", new.path, new.content_hash, ",".join(new.suites))
        return ReloadResult(changed=True)
