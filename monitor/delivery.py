"""The sender: takes messages out of the outbox, asks a channel to tell them, and writes what came of it.

Every step is a row first, so that a crash anywhere repeats a message at worst and loses none. One task per channel: one
that is slow or down delays no other. Knows nothing of Slack or PagerDuty, nor of why somebody is to be told.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

from monitor import alert
from monitor.delivery_rules import (
    ABOUT_AN_OPEN,
    ABSENT,
    DEAD_LETTER,
    GAVE_UP,
    REFUSED,
    Supersede,
    backoff_seconds,
    dead_letter,
    is_missed,
    is_overtaken,
    plan,
)
from monitor.errors import StaleWrite, StoreFailure
from monitor.incident import Notification, NotificationStatus
from monitor.machine import AlertPolicy, Delivered, NotificationKind, Phase
from monitor.notify.classify import Clock, utc_now
from monitor.notify.contract import ATTEMPT_SECONDS, DeliveryResult, Message, Needless, Notifier, Ok, Permanent, Retry
from monitor.store import Claim, Orphans, Store

LEASE_SECONDS = 2 * ATTEMPT_SECONDS
POLL_SECONDS = 5.0
GIVE_UP_AFTER = timedelta(hours=24)
ORPHAN_AFTER = timedelta(minutes=10)
"""For so long a channel may be out of the configuration: another daemon may still have it, or this one again."""

_STEP_TRIES = 5
_START, _NO_CHANNEL = ":start", ":none"
"""Not channels: what fails at the start rests as a channel does, and where there is none orphans are looked for."""

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Sender:
    """Sends what the outbox holds. Any number of senders may share one store; `owner` names this one.

    `notifiers` are by channel. `on_finished` is called after each message that reached an end, for whoever shows
    numbers. `wake` and everything else belong to one event loop.
    """

    def __init__(
        self,
        store: Store,
        notifiers: Mapping[str, Notifier],
        *,
        owner: str,
        clock: Clock = utc_now,
        sleep: Callable[[float], Coroutine[object, object, None]] = asyncio.sleep,
        random: Random | None = None,
        on_finished: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._notifiers = notifiers
        self._owner = owner
        self._clock = clock
        self._sleep = sleep
        self._random = random or Random()  # noqa: S311  spreads retries, guards nothing
        self._on_finished = on_finished
        self._news = {channel: asyncio.Event() for channel in notifiers}
        self._due: dict[str, list[datetime]] = {}
        self._failures: Counter[str] = Counter()
        self._under_way: set[asyncio.Event] = set()
        self._serve_too: Callable[[str], None] = lambda _: None
        self._served: set[str] = set()

    def wake(self) -> None:
        """Look into the outbox now: something was put there."""
        for news in self._news.values():
            news.set()

    def follow(self, notifiers: Mapping[str, Notifier]) -> None:
        """Tell through these from the next message on. What waits for a channel that is gone waits for a while longer,
        and becomes a dead letter then.
        """
        self._notifiers = notifiers
        for channel in notifiers:
            self._news.setdefault(channel, asyncio.Event())
            self._serve_too(channel)

    async def finish_under_way(self) -> None:
        """Wait for the messages that are on their way now."""
        await asyncio.gather(*(ended.wait() for ended in self._under_way))

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; a message on its way is finished first. Survives the database being away."""
        is_settled = None
        while is_settled is None and not stop.is_set():
            is_settled = await self._survive(_START, self.settle)
            if is_settled is None:
                await self._rest(_START, stop)
        self._served.clear()
        async with asyncio.TaskGroup() as group:

            def serve(channel: str) -> None:
                if channel not in self._served and not stop.is_set():
                    self._served.add(channel)
                    group.create_task(self._serve(channel, stop))

            self._serve_too = serve
            for channel in self._notifiers or (_NO_CHANNEL,):
                serve(channel)

    async def drain(self, deadline_seconds: float) -> None:
        """Try everything that is due once, within the deadline; what is left stays in the outbox."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_seconds):
                await asyncio.gather(*(self._empty(channel) for channel in self._notifiers))

    async def run_once(self, channel: str) -> bool:
        """Deal with one message that is due on the channel; False when there is none. Raises StoreFailure."""
        notifier = self._notifiers.get(channel)
        if notifier is None:
            return False
        claim = await self._store.offload(
            self._store.claim_notification,
            now=self._clock(),
            lease_seconds=LEASE_SECONDS,
            owner=self._owner,
            channel=channel,
        )
        if claim is None:
            return False
        ended = asyncio.Event()
        self._under_way.add(ended)
        try:
            await self._deliver(claim, notifier)
        except StaleWrite as exc:
            logger.warning("notification_taken_over notification_id=%s error=%s", claim.notification.id, exc)
        finally:
            self._under_way.discard(ended)
            ended.set()
        return True

    async def bury_orphan(self) -> bool:
        """Give up one message whose channel nobody seems to have; False when there is none. Raises StoreFailure."""
        now = self._clock()
        claim = await self._store.offload(
            self._store.claim_notification,
            now=now,
            lease_seconds=LEASE_SECONDS,
            owner=self._owner,
            orphans=Orphans(known=frozenset(self._notifiers), before=now - ORPHAN_AFTER),
        )
        if claim is None:
            return False
        head = claim.notification
        if not head.attempts and is_overtaken(head.kind, {follower.kind for follower in claim.followers}):
            await self._store.offload(self._store.supersede, [head.id], now=now)
            await self._finished(head)
        else:
            await self._bury(head, f"{ABSENT}there is no channel {head.channel} in the configuration any more")
        return True

    async def settle(self) -> bool:
        """Tell the alerts of the ends that a crash kept from being noted. Raises StoreFailure."""
        for state in await self._store.offload(self._store.alert_states):
            if state.phase is Phase.RESOLVING and state.incident_id:
                for row in await self._store.offload(self._store.notifications, state.incident_id):
                    if row.status is not NotificationStatus.PENDING:
                        await self._note_end(row)
        return True

    async def _serve(self, channel: str, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not await self._survive(channel, lambda: self._step(channel)):
                await self._rest(channel, stop)

    async def _empty(self, channel: str) -> None:
        while await self._survive(channel, lambda: self._step(channel)):
            pass

    async def _step(self, channel: str) -> bool:
        # What failed may have failed between the end of a message and its alert.
        if self._failures[channel]:
            await self.settle()
        return await self.run_once(channel) or await self.bury_orphan()

    async def _survive(self, channel: str, step: Callable[[], Awaitable[T]]) -> T | None:
        """What the step returns; None, logged and counted for the backoff, when it failed."""
        try:
            answer = await step()
        except StoreFailure as exc:
            logger.warning("outbox_unavailable channel=%s error=%s", channel, exc)
        except Exception:
            logger.exception("delivery_broken channel=%s", channel)
        else:
            self._failures[channel] = 0
            return answer
        self._failures[channel] += 1
        return None

    async def _rest(self, channel: str, stop: asyncio.Event) -> None:
        """Wait for news, the stop, the next retry that this sender knows of, or the next poll."""
        news = self._news.setdefault(channel, asyncio.Event())
        pause = self._sleep(self._pause_seconds(channel))
        waits = [asyncio.create_task(pause), asyncio.create_task(news.wait()), asyncio.create_task(stop.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        news.clear()

    def _pause_seconds(self, channel: str) -> float:
        if self._failures[channel]:
            return backoff_seconds(self._failures[channel], self._random.random())
        now = self._clock()
        self._due[channel] = [at for at in self._due.get(channel, []) if at > now]
        return min([POLL_SECONDS, *((at - now).total_seconds() for at in self._due[channel])])

    async def _deliver(self, claim: Claim, notifier: Notifier) -> None:
        head = claim.notification
        decision = plan(claim, await self._opening(claim), supports_info=notifier.supports_info)
        if isinstance(decision, Supersede):
            await self._store.offload(self._store.supersede, [head.id], now=self._clock())
            await self._finished(head)
        else:
            attempt = await self._store.offload(self._store.begin_attempt, claim, now=self._clock())
            await self._record(attempt, await notifier.send(_message(claim, decision.kind)))

    async def _opening(self, claim: Claim) -> Notification | None:
        head = claim.notification
        if head.kind not in ABOUT_AN_OPEN or claim.opened:
            return claim.opened
        rows = await self._store.offload(self._store.notifications, head.incident_id)
        opens = [row for row in rows if row.channel == head.channel and row.kind is NotificationKind.OPEN]
        return opens[0] if opens else None

    async def _record(self, head: Notification, result: DeliveryResult) -> None:
        match result:
            case Ok(reference):
                await self._finish(head, NotificationStatus.SENT, reference=reference)
            case Needless():
                await self._finish(head, NotificationStatus.SUPERSEDED)
            case Permanent(error):
                await self._bury(head, f"{REFUSED}{error}")
            case Retry(after_seconds, error):
                wait = backoff_seconds(head.attempts, self._random.random()) if after_seconds is None else after_seconds
                at = self._clock() + timedelta(seconds=wait)
                if self._is_too_old(head, at):
                    await self._bury(head, f"{GAVE_UP}{error}")
                    return
                await self._store.offload(
                    self._store.retry_notification, head.id, at=at, error=error, owner=self._owner
                )
                self._due.setdefault(head.channel, []).append(at)

    async def _bury(self, head: Notification, error: str) -> None:
        """Make it a dead letter. The other channels are told first: a crash in between tells them and tries again."""
        logger.warning("dead_letter notification_id=%s channel=%s error=%s", head.id, head.channel, error)
        rows = await self._store.offload(self._store.notifications, head.incident_id)
        told = {(row.channel, row.dedup_key) for row in rows}
        drafts = [dead_letter(head, channel, error, self._clock()) for channel in self._notifiers]
        new = [d for d in drafts if d.channel != head.channel and (d.channel, d.dedup_key) not in told]
        if new and is_missed(head, error, rows):
            await self._store.offload(self._store.enqueue, *new)
        await self._finish(head, NotificationStatus.DEAD, error=error)
        self.wake()

    async def _finish(
        self, head: Notification, status: NotificationStatus, *, reference: str | None = None, error: str = ""
    ) -> None:
        await self._store.offload(
            self._store.finish_notification,
            head.id,
            status,
            now=self._clock(),
            owner=self._owner,
            reference=reference,
            error=error,
        )
        await self._finished(head)

    async def _finished(self, head: Notification) -> None:
        await self._note_end(head)
        self._on_finished()

    async def _note_end(self, head: Notification) -> None:
        """Step the alert if this message was the end of its incident. A state that others write to is read again."""
        if head.kind is not NotificationKind.RESOLVE or DEAD_LETTER in head.dedup_key:
            return
        event = Delivered(channel=head.channel, incident_id=head.incident_id)
        for _ in range(_STEP_TRIES):
            before = await self._store.offload(self._store.alert_state, head.scope)
            after, _effects = alert.step(before, event, AlertPolicy.everywhere(*self._notifiers), self._clock(), "")
            with suppress(StaleWrite):
                if after != before:
                    await self._store.offload(self._store.save_alert_state, after)
                return
        logger.warning("alert_not_stepped scope=%s incident_id=%s", head.scope, head.incident_id)

    def _is_too_old(self, head: Notification, at: datetime) -> bool:
        return at > head.created_at + GIVE_UP_AFTER


def _message(claim: Claim, kind: NotificationKind) -> Message:
    head, opened = claim.notification, claim.opened
    told = head.alert
    if kind is NotificationKind.INFO and head.kind is NotificationKind.RESOLVE:
        told = replace(told, reason=f"It began and ended before this channel could be told. {told.reason}")
    return Message(
        kind=kind,
        alert=told,
        dedup_key=head.dedup_key,
        opened_reference=opened.reference if opened else None,
        opened=opened.alert if opened else None,
    )
