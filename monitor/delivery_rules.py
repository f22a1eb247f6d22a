"""What is done with a message of the outbox: sent, dropped, or given up, and who hears of that. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.incident import Notification, NotificationStatus
from monitor.machine import NotificationKind
from monitor.store import Claim, NotificationDraft
from monitor.store.outbox import OFFERED_AGAIN
from monitor.verdict import Severity

SHORTEST_BACKOFF_SECONDS = 2.0
LONGEST_BACKOFF_SECONDS = 5 * 60.0
DEAD_LETTER = ":dead-letter:"
REFUSED = "refused: "
GAVE_UP = "gave up: "
ABSENT = "absent: "
"""How the error of a dead letter begins."""

IN_BETWEEN = frozenset({NotificationKind.UPDATE, NotificationKind.REMINDER, NotificationKind.ACK})
ABOUT_AN_OPEN = IN_BETWEEN | {NotificationKind.RESOLVE}
_NEVER_MISSED = frozenset({NotificationKind.INFO, NotificationKind.REMINDER, NotificationKind.ACK})


@dataclass(frozen=True, slots=True)
class Send:
    """Tell the message, as this kind."""

    kind: NotificationKind


@dataclass(frozen=True, slots=True)
class Supersede:
    """Drop the message: what it says is over, or tells more of what the channel was never told."""


def plan(claim: Claim, opening: Notification | None, *, supports_info: bool) -> Send | Supersede:
    """What to do with the claimed message; `opening` is the open of its incident on its channel.

    An open that was never attempted and whose end is already waiting is dropped, and its end becomes one INFO (or, on a
    channel that would page for it, nothing). An open with an unknown outcome counts as told. What was to be said in
    between goes the same way, and a reminder that waited until the next one came. While the incident lasts, what is
    told next of it takes the place of an open that was refused. An INFO that is no dead letter pages nobody either.
    """
    head = claim.notification
    if head.kind is NotificationKind.INFO and not supports_info and DEAD_LETTER not in head.dedup_key:
        return Supersede()
    if head.attempts == 0 and is_overtaken(head.kind, {follower.kind for follower in claim.followers}):
        return Supersede()
    if head.kind in ABOUT_AN_OPEN and opening is not None and _was_never_told(opening):
        if head.kind in OFFERED_AGAIN and opening.status is NotificationStatus.DEAD:
            return Send(NotificationKind.OPEN)
        is_end = head.kind is NotificationKind.RESOLVE
        return Send(NotificationKind.INFO) if is_end and supports_info else Supersede()
    return Send(head.kind)


def is_overtaken(kind: NotificationKind, later: Collection[NotificationKind]) -> bool:
    """Whether the message says nothing more than those behind it."""
    if kind is NotificationKind.REMINDER and NotificationKind.REMINDER in later:
        return True
    return kind in {NotificationKind.OPEN, *IN_BETWEEN} and NotificationKind.RESOLVE in later


def backoff_seconds(attempts: int, jitter: float) -> float:
    """The wait after the nth failed attempt: doubles from 2 s to 5 min; `jitter` in [0, 1] takes up to half of it."""
    longest = min(LONGEST_BACKOFF_SECONDS, SHORTEST_BACKOFF_SECONDS * 2.0 ** min(max(attempts, 1) - 1, 32))
    return longest * (1.0 - jitter / 2.0)


def dead_letter(dead: Notification, channel: str, error: str, now: datetime) -> NotificationDraft:
    """What `channel` is told about a message that another channel will never take.

    It has a key of its own: on PagerDuty it becomes a separate warning, which nothing but a person resolves.
    """
    key = f"{dead.dedup_key}{DEAD_LETTER}{dead.channel}"
    told = replace(
        dead.alert,
        severity=Severity.WARNING,
        dedup_key=key,
        title=f"{dead.channel} could not be told ({dead.kind.value}): {dead.alert.title}",
        reason=f"{dead.channel}: {error}. The message was: {dead.alert.reason}",
        at=now,
    )
    return NotificationDraft(
        incident_id=dead.incident_id,
        scope=dead.scope,
        channel=channel,
        kind=NotificationKind.INFO,
        dedup_key=key,
        alert=told,
        at=now,
    )


def is_missed(dead: Notification, error: str, beside: Sequence[Notification]) -> bool:
    """Whether the other channels have to hear that this one could not be told.

    Not of what only repeats or informs; and of a channel that was taken out of the configuration only where nobody else
    was told of the incident.
    """
    if DEAD_LETTER in dead.dedup_key or dead.kind in _NEVER_MISSED:
        return False
    was_told = any(other.channel != dead.channel and other.kind is NotificationKind.OPEN for other in beside)
    return not (error.startswith(ABSENT) and (was_told or dead.kind is not NotificationKind.OPEN))


def _was_never_told(opening: Notification) -> bool:
    """Whether the channel surely knows nothing of it: dropped, never tried, or refused at the very first attempt."""
    if opening.status is NotificationStatus.DEAD:
        was_refused = opening.attempts == 1 and opening.last_error.startswith(REFUSED)
        return was_refused or not opening.attempts
    return opening.status is NotificationStatus.SUPERSEDED
