"""Which channels do not take what they are sent: messages that were given up, and those that wait for too long.

How long one waits is measured here, not read from its row: a wall clock that jumps makes no message late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.incident import Notification, NotificationStatus
from monitor.machine import AlertPolicy
from monitor.rules.monitor import Part, Undelivered, is_own, scope_of
from monitor.selfwatch.lasting import Lasting

LATE_SECONDS = 900.0
LOST_WITHIN = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class OutboxWatch:
    """`clock` is monotonic, `now` the wall clock of the rows."""

    clock: Callable[[], float]
    now: Callable[[], datetime]
    _waiting: Lasting = field(init=False)

    def __post_init__(self) -> None:
        self._waiting = Lasting(self.clock)

    def look(self, rows: Sequence[Notification]) -> Undelivered:
        """By what is pending now, and what died within a day. What died while it told of the monitor itself is left
        out, and so is all that tells of the delivery: such an alert would keep itself open.
        """
        about = [row for row in rows if row.scope != scope_of(Part.DELIVERY)]
        pending = [row for row in about if row.status is NotificationStatus.PENDING]
        self._waiting.keep({row.id for row in pending})
        late = [row for row in pending if self._waiting.seconds(row.id, is_so=True) >= LATE_SECONDS]
        lost = [row for row in about if row.status is NotificationStatus.DEAD and not is_own(row.scope)]
        return Undelivered(
            lost=Counter(row.channel for row in lost),
            late=Counter(row.channel for row in late),
            is_unsure=any(row.attempts or _looks_late(row, self.now()) for row in pending),
        )


def failing(rows: Sequence[Notification], now: datetime) -> frozenset[str]:
    """The channels that do not take what they are sent, as far as rows alone tell."""
    lost = {row.channel for row in rows if row.status is NotificationStatus.DEAD and not is_own(row.scope)}
    waiting = (row for row in rows if row.status is NotificationStatus.PENDING)
    return frozenset(lost | {row.channel for row in waiting if _looks_late(row, now)})


def told_elsewhere(policy: AlertPolicy, failing: Collection[str], channels: Iterable[str]) -> AlertPolicy:
    """The policy with no message to a channel that fails, where another is there: one of the route's, or else any."""
    others = tuple(channel for channel in channels if channel not in failing)

    def instead(routed: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(channel for channel in routed if channel not in failing) or (routed and others) or routed

    return replace(policy, routes={severity: instead(routed) for severity, routed in policy.routes.items()})


def _looks_late(row: Notification, now: datetime) -> bool:
    return (now - row.created_at).total_seconds() >= LATE_SECONDS
