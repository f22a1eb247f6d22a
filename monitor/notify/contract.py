"""The seam between the outbox and a channel: one message in, one of three results out.

Knows nothing of the outbox: when to try again, and when to give up, is decided by `monitor.delivery`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from monitor.incident import Alert
from monitor.machine import NotificationKind

ATTEMPT_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel is asked to tell.

    `opened_reference` is the reference that this channel gave for the opening of the same incident, and `opened` what
    that opening said; both None where nothing was opened here, or where the answer was lost.
    """

    kind: NotificationKind
    alert: Alert
    dedup_key: str
    opened_reference: str | None = None
    opened: Alert | None = None


@dataclass(frozen=True, slots=True)
class Ok:
    """The receiver took the message. `reference` is its own id of it, if it gives one."""

    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """The same message may be taken later. `after_seconds`: the receiver's own wish, within its bounds."""

    after_seconds: float | None
    error: str


@dataclass(frozen=True, slots=True)
class Permanent:
    """The receiver refused this message, and will refuse it again; it was not delivered."""

    error: str


@dataclass(frozen=True, slots=True)
class Needless:
    """The channel tells this by itself, or has no word for it: nothing was sent, nothing is known of the channel."""


DeliveryResult = Ok | Retry | Permanent | Needless


class Notifier(Protocol):
    """One channel. `supports_info`: a message that needs no action can be told here without paging anybody."""

    @property
    def channel(self) -> str:
        """Name of the channel in the outbox."""

    @property
    def supports_info(self) -> bool:
        """Whether an INFO may take the place of an open and its end."""

    async def send(self, message: Message) -> DeliveryResult:
        """One attempt, never longer than ATTEMPT_SECONDS. Every failure is a result; nothing is raised."""
