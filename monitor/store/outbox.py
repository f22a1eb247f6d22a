"""The outbox: messages that must go out, first in first out per channel and key, each held by one sender at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, desc, exists, or_, select, update

from monitor.errors import StaleWrite
from monitor.incident import Alert, Notification, NotificationStatus
from monitor.machine import NotificationKind
from monitor.store import counters
from monitor.store.inserting import insert_once
from monitor.store.rows import value_from, values_of
from monitor.store.tables import notification

LONGEST_WAIT = timedelta(minutes=16)
"""Longer than any channel is waited for (15 minutes)."""
OFFERED_AGAIN = frozenset({NotificationKind.UPDATE, NotificationKind.REMINDER})
"""What is sent as an open where the open itself was refused."""
_NO_LEASE = {"lease_owner": None, "lease_until": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of a message before it was put into the outbox. `sent_at` None: whether it arrived is not known."""

    attempts: int
    sent_at: datetime | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationDraft:
    """A message that is to be put into the outbox. `delivery` None: nobody tried to send it yet."""

    incident_id: str
    scope: str
    channel: str
    kind: NotificationKind
    dedup_key: str
    alert: Alert
    at: datetime
    delivery: Delivery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A message that `owner` may send until its lease ends.

    `followers` are the later pending messages of the same incident and channel; `opened` is the message that told the
    channel of the incident's beginning, if one was sent: its open, or what went out in the place of a refused one.
    """

    notification: Notification
    followers: tuple[Notification, ...]
    opened: Notification | None
    owner: str


def put(connection: Connection, drafts: Sequence[tuple[str, NotificationDraft]]) -> None:
    """Append messages, each under its id; one whose id is there already is left alone."""
    for notification_id, draft in drafts:
        values = values_of(draft) | {
            "id": notification_id,
            "status": NotificationStatus.PENDING,
            "created_at": draft.at,
            "attempts": 0,
            "last_error": "",
        }
        del values["at"], values["delivery"]
        is_new = insert_once(connection, notification, values | _delivered(draft.delivery))
        if is_new and draft.delivery and draft.delivery.sent_at:
            _count(connection, notification.c.id == notification_id)


def _delivered(delivery: Delivery | None) -> dict[str, Any]:
    """What a message has of an attempt that was made before."""
    if delivery is None or delivery.sent_at is None:
        return {"attempts": delivery.attempts} if delivery else {}
    return {
        "attempts": delivery.attempts,
        "status": NotificationStatus.SENT,
        "sent_at": delivery.sent_at,
        "ended_at": delivery.sent_at,
        "reference": delivery.reference,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """Messages of channels that are not `known`, put into the outbox before `before`: nobody seems to send them."""

    known: frozenset[str]
    before: datetime


def claim(
    connection: Connection,
    *,
    owner: str,
    now: datetime,
    lease_until: datetime,
    channel: str | None = None,
    orphans: Orphans | None = None,
) -> Claim | None:
    """Lease the oldest message (of one channel, of orphans, or of any) that is due, free, and the first of its channel
    and key.

    What is to wait for longer than anything may wait, or leased for longer than leases last, was written while a clock
    was ahead: it waits no more.
    """
    earlier = notification.alias("earlier")
    is_behind = exists().where(
        earlier.c.channel == notification.c.channel,
        earlier.c.dedup_key == notification.c.dedup_key,
        earlier.c.sequence < notification.c.sequence,
        earlier.c.status == NotificationStatus.PENDING,
    )
    retry_at, leased_until = notification.c.next_attempt_at, notification.c.lease_until
    is_due = or_(retry_at.is_(None), retry_at <= now, retry_at > now + LONGEST_WAIT)
    is_free = or_(leased_until.is_(None), leased_until <= now, leased_until > lease_until)
    is_pending = notification.c.status == NotificationStatus.PENDING
    is_wanted = [is_pending, is_due, is_free, ~is_behind]
    if channel is not None:
        is_wanted.append(notification.c.channel == channel)
    if orphans is not None:
        is_wanted += [notification.c.channel.not_in(orphans.known), notification.c.created_at < orphans.before]
    query = select(notification).where(*is_wanted).order_by(notification.c.sequence)
    row = (
        connection.execute(query.order_by(notification.c.sequence).limit(1).with_for_update(skip_locked=True))
        .mappings()
        .one_or_none()
    )
    if row is None:
        return None
    lease = {"lease_owner": owner, "lease_until": lease_until}
    connection.execute(update(notification).where(notification.c.id == row["id"]).values(**lease))
    head = value_from(Notification, row)
    return Claim(
        notification=head, followers=_followers(connection, head), opened=_opened(connection, head), owner=owner
    )


def begin_attempt(connection: Connection, claimed: Claim, *, now: datetime) -> Notification:
    """Write that a call is about to be made. Raises StaleWrite when the lease ended or is another's."""
    head = claimed.notification
    leased = and_(_is_held(head.id, claimed.owner), notification.c.lease_until > now)
    attempts = head.attempts + 1
    if connection.execute(update(notification).where(leased).values(attempts=attempts)).rowcount != 1:
        raise StaleWrite(f"the lease of notification {head.id} was lost")
    return value_from(Notification, values_of(head) | {"attempts": attempts})


def finish(connection: Connection, notification_id: str, owner: str, end: dict[str, Any]) -> None:
    """Write how a message ended: `status`, `ended_at`, `reference`, `last_error`. Raises StaleWrite if it was lost."""
    sent_at = end["ended_at"] if end["status"] is NotificationStatus.SENT else None
    if _settle(connection, notification_id, owner, end | {"sent_at": sent_at}):
        _count(connection, notification.c.id == notification_id)


def retry(connection: Connection, notification_id: str, owner: str, *, at: datetime, error: str) -> None:
    """Give the message back, to be tried again at `at`. Raises StaleWrite if it was lost."""
    _settle(connection, notification_id, owner, {"next_attempt_at": at, "last_error": error})


def supersede(connection: Connection, ids: Sequence[str], *, now: datetime) -> None:
    """Drop messages that were never attempted. Raises StaleWrite, and drops none, when one of them was."""
    wanted = notification.c.id.in_(ids)
    unattempted = and_(wanted, notification.c.status == NotificationStatus.PENDING, notification.c.attempts == 0)
    end = {"status": NotificationStatus.SUPERSEDED, "ended_at": now, **_NO_LEASE}
    dropped = connection.execute(update(notification).where(unattempted).values(**end).returning(notification.c.id))
    dropped_ids = list(dropped.scalars())
    statuses = connection.execute(select(notification.c.status).where(wanted)).scalars()
    if any(status is not NotificationStatus.SUPERSEDED for status in statuses):
        raise StaleWrite("one of the notifications was attempted meanwhile")
    _count(connection, notification.c.id.in_(dropped_ids))


def load(connection: Connection, incident_id: str | None, limit: int) -> list[Notification]:
    """The newest messages, in the order in which they were put."""
    wanted = [] if incident_id is None else [notification.c.incident_id == incident_id]
    query = select(notification).where(*wanted).order_by(desc(notification.c.sequence)).limit(limit)
    return [value_from(Notification, row) for row in connection.execute(query).mappings()][::-1]


def undelivered(connection: Connection, since: datetime, limit: int) -> list[Notification]:
    """The newest messages that are still to be sent, or were given up since then; oldest first. What was given up on a
    channel that has taken another one afterwards is left out.
    """
    later = notification.alias("later")
    is_mended = exists().where(
        later.c.channel == notification.c.channel,
        later.c.status == NotificationStatus.SENT,
        later.c.ended_at > notification.c.ended_at,
    )
    is_dead = and_(notification.c.status == NotificationStatus.DEAD, notification.c.ended_at >= since, ~is_mended)
    wanted = or_(notification.c.status == NotificationStatus.PENDING, is_dead)
    query = select(notification).where(wanted).order_by(desc(notification.c.sequence)).limit(limit)
    return [value_from(Notification, row) for row in connection.execute(query).mappings()][::-1]


def _settle(connection: Connection, notification_id: str, owner: str, values: dict[str, Any]) -> bool:
    """Write to a message held by `owner` and free it; False when just this was written already."""
    held = update(notification).where(_is_held(notification_id, owner)).values(**values, **_NO_LEASE)
    if connection.execute(held).rowcount == 1:
        return True
    row = connection.execute(select(notification).where(notification.c.id == notification_id)).mappings().one_or_none()
    if row is None or any(row[name] != value for name, value in (values | _NO_LEASE).items()):
        raise StaleWrite(f"notification {notification_id} is not held by {owner}")
    return False


def _is_held(notification_id: str, owner: str) -> ColumnElement[bool]:
    return and_(
        notification.c.id == notification_id,
        notification.c.status == NotificationStatus.PENDING,
        notification.c.lease_owner == owner,
    )


def _followers(connection: Connection, head: Notification) -> tuple[Notification, ...]:
    later = and_(notification.c.sequence > head.sequence, notification.c.status == NotificationStatus.PENDING)
    query = select(notification).where(_is_beside(head), later).order_by(notification.c.sequence)
    return tuple(value_from(Notification, row) for row in connection.execute(query).mappings())


def _opened(connection: Connection, head: Notification) -> Notification | None:
    is_sent = notification.c.status == NotificationStatus.SENT
    told = notification.c.kind.in_({NotificationKind.OPEN, *OFFERED_AGAIN})
    query = select(notification).where(_is_beside(head), is_sent, told)
    rows = connection.execute(query.order_by(notification.c.sequence)).mappings()
    sent = [value_from(Notification, row) for row in rows]
    opens = [one for one in sent if one.kind is NotificationKind.OPEN]
    return opens[-1] if opens else next(iter(sent), None)


def _is_beside(head: Notification) -> ColumnElement[bool]:
    return and_(notification.c.incident_id == head.incident_id, notification.c.channel == head.channel)


def _count(connection: Connection, wanted: ColumnElement[bool]) -> None:
    labels = select(notification.c.channel, notification.c.kind, notification.c.status).where(wanted)
    counters.count(connection, counters.NOTIFICATIONS, [tuple(row) for row in connection.execute(labels)])
