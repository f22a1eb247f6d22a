"""Slack by an incoming webhook: no threads, no updates, so the end of an incident is a message of its own."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Final

from slack_sdk.webhook.async_client import AsyncWebhookClient
from slack_sdk.webhook.webhook_response import WebhookResponse

from monitor.notify.classify import Clock, refused, retry_after_seconds, utc_now
from monitor.notify.contract import ATTEMPT_SECONDS, DeliveryResult, Message, Ok, Permanent, Retry
from monitor.notify.slack_answers import PASSING_ERRORS, UNREADABLE, broken_off, quiet_logger
from monitor.notify.slack_blocks import render

_WORD = re.compile("[a-z_]{1,60}")


class SlackWebhook:
    """Posts to the channel that the webhook at `url` (a secret) belongs to. Gives no references."""

    supports_info: Final = True

    def __init__(
        self,
        *,
        url: str,
        channel: str = "slack",
        deadline_seconds: float = ATTEMPT_SECONDS,
        proxy: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.channel: Final = channel
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._client = AsyncWebhookClient(url, retry_handlers=[], logger=quiet_logger())
        self._client.proxy = proxy

    async def send(self, message: Message) -> DeliveryResult:
        """One attempt within the deadline."""
        content = render(message)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                answer = await self._client.send(
                    text=content.text, blocks=content.blocks, unfurl_links=False, unfurl_media=False
                )
        except UNREADABLE as exc:
            return broken_off(exc)
        return self._classify(answer)

    def _classify(self, answer: WebhookResponse) -> DeliveryResult:
        """Slack answers the two letters `ok`; a page of a proxy with status 200 is not a delivery."""
        word = _error_word(answer.body)
        retry_after = answer.headers.get("Retry-After")
        if answer.status_code == 200 and word == "ok":
            return Ok()
        if word in PASSING_ERRORS:
            return Retry(retry_after_seconds(retry_after, self._clock()), word)
        if answer.status_code != 200:
            return refused(answer.status_code, retry_after, self._clock(), word)
        return Permanent(word) if word else Retry(None, "answer that Slack would not give")


def _error_word(body: str) -> str:
    """`ok`, or Slack's word for what is wrong (the whole body, or `error` in JSON); empty if it is none of Slack's."""
    try:
        data = json.loads(body)
    except ValueError:
        data = {"error": body.strip()}
    if not isinstance(data, dict):
        return ""
    word = "ok" if data.get("ok") is True else data.get("error")
    return word if isinstance(word, str) and _WORD.fullmatch(word) else ""
