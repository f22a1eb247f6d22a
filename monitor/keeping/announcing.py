"""Opens that are told while there is no outbox: under their stable key, each channel by itself, never an end.

Whoever calls writes down each attempt before it is made. Knows nothing of the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.machine import NotificationKind
from monitor.notify.contract import Message, Needless, Notifier, Ok, Permanent, Retry
from monitor.store import Delivery, NotificationDraft

log = logging.getLogger(__name__)

Record = Callable[[NotificationDraft, Delivery], Awaitable[None]]
Place = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class Announcer:
    """`pause` gives the seconds to wait after the nth failed attempt; `clock` is monotonic, `now` the wall clock.
    `notifiers` gives the channels of the moment.
    """

    now: Callable[[], datetime]
    clock: Callable[[], float]
    pause: Callable[[int], float]
    notifiers: Callable[[], Mapping[str, Notifier]] = dict
    _due: dict[Place, float] = field(default_factory=dict)

    async def tell(self, drafts: Sequence[NotificationDraft], record: Record) -> None:
        """One attempt at each that is due; `record` hears of each before and after. Raises nothing of a channel's."""
        await asyncio.gather(*(self._attempt(draft, record) for draft in drafts if self._is_due(draft)))

    def forget(self) -> None:
        """What was kept is in the outbox now."""
        self._due.clear()

    def _is_due(self, draft: NotificationDraft) -> bool:
        if draft.kind is not NotificationKind.OPEN or draft.channel not in self.notifiers():
            return False
        if draft.delivery and draft.delivery.sent_at:
            return False
        return self.clock() >= self._due.get(_place(draft), 0.0)

    async def _attempt(self, draft: NotificationDraft, record: Record) -> None:
        notifier = self.notifiers()[draft.channel]
        delivery = Delivery(attempts=draft.delivery.attempts + 1 if draft.delivery else 1)
        await record(draft, delivery)
        message = Message(kind=draft.kind, alert=draft.alert, dedup_key=draft.dedup_key)
        result = await notifier.send(message)
        match result:
            case Ok(reference):
                log.warning("told_from_memory channel=%s scope=%s", draft.channel, draft.scope)
                await record(draft, replace(delivery, sent_at=self.now(), reference=reference))
            case Permanent(error):
                log.error("not_told_from_memory channel=%s scope=%s error=%s", draft.channel, draft.scope, error)
                self._due[_place(draft)] = float("inf")
            case Needless():
                self._due[_place(draft)] = float("inf")
            case Retry(after_seconds):
                wait = self.pause(delivery.attempts) if after_seconds is None else after_seconds
                self._due[_place(draft)] = self.clock() + wait


def _place(draft: NotificationDraft) -> Place:
    return draft.channel, draft.dedup_key
