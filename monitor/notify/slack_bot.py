"""Slack by a bot token: the end of an incident answers in the opening's thread, and the opening is updated to show it.

slack_sdk speaks the protocol; its retries are off, because the outbox decides when to try again.
"""

from __future__ import annotations

import asyncio
from typing import Final

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from monitor.machine import NotificationKind
from monitor.notify.classify import Clock, utc_now
from monitor.notify.contract import ATTEMPT_SECONDS, DeliveryResult, Message, Ok, Permanent, Retry
from monitor.notify.slack_answers import UNREADABLE, broken_off, quiet_logger, refused_by_slack
from monitor.notify.slack_blocks import SlackMessage, render, render_closed_opening

API_URL = "https://slack.com/api/"
# The opening takes no update or no reply any more, or its channel takes nothing; the configured one may still.
_OPENING_IS_GONE = frozenset(
    {
        "message_not_found",
        "cant_update_message",
        "edit_window_closed",
        "thread_not_found",
        "invalid_thread_ts",
        "channel_not_found",
        "not_in_channel",
        "is_archived",
        "is_inactive",
    }
)


class SlackBot:
    """Posts to one Slack channel (`destination`: an id, or a name with #). A reference is "channel id:timestamp".

    `proxy`: URL of an HTTP proxy; the environment's proxies are not used.
    """

    supports_info: Final = True

    def __init__(
        self,
        *,
        token: str,
        destination: str,
        channel: str = "slack",
        base_url: str = API_URL,
        deadline_seconds: float = ATTEMPT_SECONDS,
        proxy: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.channel: Final = channel
        self._destination = destination
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        # Without a session of ours the client opens and closes one per call, which suits a few messages a day.
        self._client = AsyncWebClient(token=token, base_url=base_url, retry_handlers=[], logger=quiet_logger())
        self._client.proxy = proxy

    async def send(self, message: Message) -> DeliveryResult:
        """One attempt within the deadline, the update of the opening included."""
        content, closed = render(message), render_closed_opening(message)
        place, _, timestamp = (message.opened_reference or "").rpartition(":")
        try:
            async with asyncio.timeout(self._deadline_seconds):
                if message.kind is NotificationKind.OPEN or not place:
                    return await self._post(content, self._destination, None)
                # The update comes first: of the two calls only this one may be repeated harmlessly.
                is_end = message.kind is NotificationKind.RESOLVE
                if is_end and not await self._update(closed, place, timestamp):
                    return await self._post(content, self._destination, None)
                return await self._reply(content, place, timestamp)
        except SlackApiError as exc:
            return refused_by_slack(exc, self._clock())
        except UNREADABLE as exc:
            return broken_off(exc)

    async def _update(self, content: SlackMessage, place: str, timestamp: str) -> bool:
        """Whether the message is still there and now shows `content`. Raises what slack_sdk raises."""
        try:
            await self._client.chat_update(
                channel=place, ts=timestamp, text=content.text, blocks=content.blocks, metadata=content.metadata
            )
        except SlackApiError as exc:
            if self._is_gone(exc):
                return False
            raise
        return True

    async def _reply(self, content: SlackMessage, place: str, thread: str) -> DeliveryResult:
        """In the opening's thread; where that is gone, a message of its own. Raises what slack_sdk raises."""
        try:
            return await self._post(content, place, thread)
        except SlackApiError as exc:
            if not self._is_gone(exc):
                raise
        return await self._post(content, self._destination, None)

    def _is_gone(self, refusal: SlackApiError) -> bool:
        result = refused_by_slack(refusal, self._clock())
        return isinstance(result, Permanent) and result.error in _OPENING_IS_GONE

    async def _post(self, content: SlackMessage, place: str, thread: str | None) -> DeliveryResult:
        answer = await self._client.chat_postMessage(
            channel=place,
            text=content.text,
            blocks=content.blocks,
            metadata=content.metadata,
            thread_ts=thread,
            unfurl_links=False,
            unfurl_media=False,
            link_names=False,
            parse="none",
        )
        return _posted(answer)


def _posted(answer: AsyncSlackResponse) -> DeliveryResult:
    place, timestamp = answer.get("channel"), answer.get("ts")
    if not isinstance(place, str) or not isinstance(timestamp, str):
        return Retry(None, "answer without a channel and a timestamp")
    return Ok(f"{place}:{timestamp}")
