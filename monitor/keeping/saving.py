"""The conversations of one check on their way into the database. From the first that it cannot take they wait here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.check import Conversation, Slot
from monitor.errors import StoreUnavailable
from monitor.store import Store

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Saving:
    """`keeps` False: nothing waits, and a database that is away is an error."""

    store: Store
    slot: Slot | None
    keeps: bool
    waiting: list[Conversation] = field(default_factory=list)

    async def save(self, conversation: Conversation) -> None:
        """Write it, or let it wait. Raises StoreFailure, of which StoreUnavailable only where nothing may wait."""
        if not self.waiting:
            try:
                await self._write(conversation)
            except StoreUnavailable as exc:
                if not self.keeps:
                    raise
                if not self.waiting:
                    log.warning("conversations_kept check_id=%s reason=%s", conversation.check_id, exc)
            else:
                return
        self.waiting.append(conversation)

    async def flush(self) -> None:
        """Write what waits, oldest first. Raises StoreFailure."""
        while self.waiting:
            await self._write(self.waiting[0])
            del self.waiting[0]

    def aside(self, heard: Sequence[Conversation]) -> tuple[Conversation, ...]:
        """What waits and is not among those that count: attempts that were repeated."""
        known = {conversation.id for conversation in heard}
        return tuple(conversation for conversation in self.waiting if conversation.id not in known)

    async def _write(self, conversation: Conversation) -> None:
        await self.store.offload(self.store.save_conversation, conversation, self.slot)
