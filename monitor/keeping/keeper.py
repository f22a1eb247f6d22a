"""Keeps checks that the database could not take, tells their opens meanwhile, and replays them in order.

Knows nothing of how a check is decided: that is what a `Replays` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from monitor.closing import Known
from monitor.errors import StaleWrite, StoreFailure, StoreUnavailable
from monitor.keeping.announcing import Announcer
from monitor.keeping.kept import Kept, from_bytes, stray_incident, to_bytes, with_told
from monitor.notify.contract import Notifier
from monitor.store import AlertChanges, Delivery, NotificationDraft, Spool, Store
from monitor.store.spool import Entry

log = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 5.0
_SETTLE_TRIES = 5


class Replays(Protocol):
    """One suite's checks."""

    async def replay(self, kept: Kept) -> None:
        """Decide what was heard anew and write it. Raises StoreFailure: StaleWrite when it is another's by now."""


@dataclass(slots=True, kw_only=True)
class Keeper:
    """`suites` gives the suites of the moment by name; `on_replayed` is called when the database has everything."""

    store: Store
    spool: Spool
    announcer: Announcer
    suites: Callable[[], Mapping[str, Replays]] = dict
    on_replayed: Callable[[], None] = lambda: None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _guard: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_clear(self) -> bool:
        """Whether nothing waits: checks may start."""
        return not len(self.spool)

    def serve(
        self,
        suites: Callable[[], Mapping[str, Replays]],
        notifiers: Callable[[], Mapping[str, Notifier]],
        on_replayed: Callable[[], None],
    ) -> None:
        """Replay for these suites and tell through these channels, those of the moment, from now on."""
        self.suites, self.on_replayed = suites, on_replayed
        self.announcer.notifiers = notifiers

    async def keep(self, kept: Kept) -> None:
        """Keep a check. Where there is no room for what was heard, what is told of it is kept nevertheless."""
        name = await asyncio.to_thread(self.spool.add, to_bytes(kept))
        if name is None and kept.told:
            await asyncio.to_thread(self.spool.add, to_bytes(replace(kept, heard=None, aside=())))
        log.warning("check_kept check_id=%s suite=%s waiting=%d", kept.check.id, kept.check.suite, len(self.spool))
        self._news.set()

    async def run(self) -> None:
        """Tell and replay until cancelled."""
        pause = PAUSE_SECONDS
        while True:
            if self.is_clear:
                pause = PAUSE_SECONDS
                await self._news.wait()
            self._news.clear()
            try:
                async with self._guard:
                    await self.announce()
                    await self._replay()
            except StoreUnavailable as exc:
                log.debug("replay_waits error=%s", exc)
            except Exception:
                log.exception("replay_broke")
                pause = LONGEST_PAUSE_SECONDS
            if not self.is_clear:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def replay(self) -> None:
        """Write everything that waits, oldest first. Raises StoreUnavailable; what was written is gone from here."""
        async with self._guard:
            await self._replay()

    async def announce(self) -> None:
        """One attempt at every open that is due."""
        await asyncio.gather(*(self._announce(entry) for entry in self.spool.entries()))

    async def _announce(self, entry: Entry) -> None:
        kept = _read(entry)
        if kept is not None:
            await self.announcer.tell(kept.told, _Progress(self.spool, entry.name, kept).record)

    async def _replay(self) -> None:
        entries = self.spool.entries()
        for entry in entries:
            await self._replay_one(entry)
        if entries:
            log.warning("spool_replayed checks=%d lost=%d", len(entries), self.spool.lost)
            self.announcer.forget()
            self.on_replayed()

    async def _replay_one(self, entry: Entry) -> None:
        kept = _read(entry)
        why = "it was written by another version" if kept is None else await self._write(kept)
        if why is None:
            await asyncio.to_thread(self.spool.remove, entry.name)
            return
        if kept is not None:
            await self._take_back(kept)
        was_counted = kept is not None and kept.heard is None
        await asyncio.to_thread(self.spool.remove if was_counted else partial(self.spool.lose, why=why), entry.name)

    async def _write(self, kept: Kept) -> str | None:
        """None when the database has it; else why it never will. Raises StoreUnavailable."""
        suite = self.suites().get(kept.check.suite)
        if kept.heard is None:
            return "there was no room for what was heard"
        if suite is None:
            return f"the suite {kept.check.suite} is gone"
        try:
            await suite.replay(kept)
        except StoreUnavailable:
            raise
        except StaleWrite as exc:
            return f"check {kept.check.id} is not ours any more: {exc}"
        except StoreFailure as exc:
            return f"check {kept.check.id} was refused: {exc}"
        return None

    async def _take_back(self, kept: Kept) -> None:
        """Who was told of a check that counts no more hears how things stand. Raises StoreFailure."""
        for left in reversed(range(_SETTLE_TRIES)):
            try:
                await self.store.offload(self._settle, kept.attempted)
            except StaleWrite:
                if not left:
                    raise
            else:
                return

    def _settle(self, told: list[NotificationDraft]) -> None:
        # A commit whose answer was lost has written them.
        told = [draft for draft in told if self.store.incident(stray_incident(draft).id) is None]
        known = {draft.scope: Known(state=self.store.alert_state(draft.scope)) for draft in told}
        changes = with_told(AlertChanges(), told, known)
        if changes != AlertChanges():
            self.store.change_alerts(changes)


@dataclass(slots=True)
class _Progress:
    """What is told of one entry, written down step by step."""

    spool: Spool
    name: str
    kept: Kept
    _guard: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def record(self, draft: NotificationDraft, delivery: Delivery) -> None:
        """Note what became of a message."""
        place = (draft.channel, draft.dedup_key)
        told = [
            replace(other, delivery=delivery) if (other.channel, other.dedup_key) == place else other
            for other in self.kept.told
        ]
        self.kept = replace(self.kept, told=tuple(told))
        async with self._guard:  # what is written last is the newest
            await asyncio.to_thread(self.spool.change, self.name, to_bytes(self.kept))


def _read(entry: Entry) -> Kept | None:
    try:
        return from_bytes(entry.payload)
    except ValueError:
        log.exception("spool_entry_not_understood entry=%s", entry.name)
        return None
