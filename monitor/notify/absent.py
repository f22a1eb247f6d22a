"""A channel that messages are still addressed to and that the configuration no longer has."""

from __future__ import annotations

from typing import Final

from monitor.notify.contract import DeliveryResult, Message, Permanent


class AbsentChannel:
    """Refuses everything, so that what waits for the channel becomes a dead letter and the others are told."""

    supports_info: Final = False

    def __init__(self, channel: str) -> None:
        self.channel: Final = channel

    async def send(self, message: Message) -> DeliveryResult:
        """Refuse the message."""
        return Permanent(f"there is no channel {self.channel} in the configuration any more")
