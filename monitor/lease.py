"""The right to run a slot's check, held only while it is renewed: who stops for longer has lost it to another daemon.

Knows slots and clocks; nothing of what a check does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from monitor.check import Slot
from monitor.errors import StaleWrite, StoreFailure
from monitor.store import Store

log = logging.getLogger(__name__)

LEASE_SECONDS = 120.0
RENEWALS = 4
"""Renewals in the time of one lease: three may fail before it is lost."""
LOOK_SECONDS = 2.0

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Leases:
    """Those of one daemon, `owner`. `clock` is monotonic, `now` the wall clock that leases are written in."""

    store: Store
    owner: str
    now: Callable[[], datetime]
    clock: Callable[[], float]
    seconds: float = LEASE_SECONDS
    _trusted_from: float = 0.0
    _look_at: float = 0.0

    def doubt(self) -> None:
        """The database is away, and nobody can renew: for one lease, none that ran out says that its owner is gone."""
        if self.store.is_shared:
            self._trusted_from = self.clock() + self.seconds

    @property
    def are_trusted(self) -> bool:
        """Whether whoever is alive has had the time to renew."""
        return self.clock() >= self._trusted_from

    async def claim(self, suite: str, at: datetime, *, second_attempt_grace_seconds: float) -> Slot | None:
        """Take a slot that is free, or for the second time one that was lost. Raises StoreFailure."""
        return await self.store.offload(
            self.store.claim_slot,
            suite,
            at,
            owner=self.owner,
            now=self.now(),
            lease_seconds=self.seconds,
            second_attempt_grace_seconds=second_attempt_grace_seconds if self.are_trusted else 0.0,
        )

    async def hold(self, slot: Slot, work: Coroutine[object, object, T]) -> T:
        """Renew while the work is done. Raises StaleWrite, and the work is cancelled, when another took the slot over.

        A database that is away ends nothing: nobody else can take the slot then.
        """
        working = asyncio.create_task(work)
        renewing = asyncio.create_task(self._renew(slot))
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                await asyncio.wait({working})
                renewing.result()
            return await working
        except asyncio.CancelledError:
            working.cancel()
            await asyncio.wait({working})
            raise
        finally:
            renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError, StoreFailure):
                await renewing

    async def find_lost(self) -> bool:
        """Abort what other daemons left running, every now and then; whether there was something. Raises StoreFailure.

        On a file that only one daemon may use there is nothing to be looked for.
        """
        if not self.store.is_shared or self.clock() < self._look_at or not self.are_trusted:
            return False
        self._look_at = self.clock() + min(LOOK_SECONDS, self.seconds / 2)
        aborted = await self.store.offload(self.store.abort_running, now=self.now(), spared=self.owner)
        if aborted:
            log.warning("checks_aborted count=%d reason=lease_ran_out", aborted)
        return bool(aborted)

    async def _renew(self, slot: Slot) -> None:
        """Until it is another's. Raises StaleWrite."""
        while True:
            await asyncio.sleep(self.seconds / RENEWALS)
            try:
                await self.store.offload(self.store.renew_slot, slot, now=self.now(), lease_seconds=self.seconds)
            except StaleWrite:
                log.error("slot_taken_over suite=%s slot=%s", slot.suite, slot.at.isoformat())
                raise
            except StoreFailure as exc:
                log.warning("lease_not_renewed suite=%s error=%s", slot.suite, exc)
