"""The long tail of services, through the Apprise library (the extra `apprise`): one address, plain text, no threads.

Apprise works in blocking calls and has a time limit for each of them and none for the whole, so each attempt has a
thread of its own that nobody waits for longer than the attempt may take. What Apprise logs may hold the address, which
is a secret, and is not kept.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from monitor.errors import ConfigError
from monitor.incident import Alert
from monitor.machine import NotificationKind
from monitor.notify.contract import ATTEMPT_SECONDS, DeliveryResult, Message, Ok, Retry
from monitor.notify.links import check_url, conversation_url, incident_url
from monitor.notify.wording import duration, headline, measured, plain, score

MISSING = "Apprise is not installed; install assistant-monitor[apprise]"
TITLE_LIMIT = 250
BODY_LIMIT = 3000
_REASON_LIMIT = 1000
_LINE_LIMIT = 300
_INTENTS_SHOWN = 5
_CONVERSATIONS_SHOWN = 3

Notify = Callable[[str, str], bool]


class AppriseChannel:
    """Tells whatever service stands behind `url` (a secret). Raises ConfigError without Apprise, or for no address."""

    supports_info: Final = True

    def __init__(self, *, url: str, channel: str = "apprise", deadline_seconds: float = ATTEMPT_SECONDS) -> None:
        self.channel: Final = channel
        self._notify = _opened(url, channel)
        self._deadline_seconds = deadline_seconds
        self._is_busy = False

    async def send(self, message: Message) -> DeliveryResult:
        """One attempt within the deadline. One that is over time goes on by itself, and the next waits for its end."""
        if self._is_busy:
            return Retry(None, "the attempt before is not over yet")
        head, text = plain(headline(message.kind, message.alert), TITLE_LIMIT), body(message)
        result = self._begin(head, text)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                error = await result
        except TimeoutError:
            return Retry(None, "no answer in time")
        return Retry(None, error) if error else Ok()

    def _begin(self, title: str, text: str) -> asyncio.Future[str]:
        """Start an attempt; its future gives what went wrong, or nothing."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[str] = loop.create_future()

        def finish(error: str) -> None:
            if not result.done():
                result.set_result(error)

        def attempt() -> None:
            try:
                error = "" if self._notify(title, text) else "the service did not take it"
            except Exception as exc:  # noqa: BLE001  whatever any of its services may raise
                error = f"Apprise failed: {type(exc).__name__}"
            self._is_busy = False
            with suppress(RuntimeError):  # the loop is over, and nobody waits
                loop.call_soon_threadsafe(finish, error)

        # A daemon: the end of the process waits for no service.
        self._is_busy = True
        threading.Thread(target=attempt, name=f"apprise-{self.channel}", daemon=True).start()
        return result


def body(message: Message) -> str:
    """The message as plain text, of whole lines, in at most BODY_LIMIT characters."""
    text = ""
    for line in _lines(message):
        if len(text) + len(line) < BODY_LIMIT:
            text += f"{line}\n"
    return text.rstrip()


def _lines(message: Message) -> list[str]:
    alert = message.alert
    lines = [plain(alert.reason, _REASON_LIMIT) or "no reason given", *(f"{n}: {v}" for n, v in measured(alert))]
    lines.append(f"{plain(alert.scope, _LINE_LIMIT)}, rule {plain(alert.rule, _LINE_LIMIT)}, {alert.severity.value}")
    if message.kind is not NotificationKind.OPEN:
        lines.append(f"Open for {duration(alert)}")
    for worst in alert.worst_intents[:_INTENTS_SHOWN]:
        lines.append(f"{plain(worst.intent_id, _LINE_LIMIT)}: {score(worst.before)} → {score(worst.mean)}")
    return [*lines, *_conversations(alert), *filter(None, [incident_url(alert), check_url(alert)])]


def _conversations(alert: Alert) -> list[str]:
    shown = alert.worst_conversations[:_CONVERSATIONS_SHOWN]
    links = [conversation_url(alert, worst.id) or "" for worst in shown]
    return [
        f"{score(worst.value)} {plain(worst.summary, _LINE_LIMIT)} {link}".rstrip()
        for worst, link in zip(shown, links, strict=True)
    ]


def _opened(url: str, channel: str) -> Notify:
    try:
        import apprise
    except ImportError as exc:
        raise ConfigError([f"notify: {channel}: {MISSING}"]) from exc
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False, secure_logging=True))
    with warnings.catch_warnings(action="ignore"):  # a hundred services are imported, some with deprecated modules
        is_known = service.add(url)
    if not is_known or len(service) != 1:
        raise ConfigError([f"notify: {channel}: not the address of one service that Apprise knows; correct it"])

    def notify(title: str, text: str) -> bool:
        return bool(service.notify(title=title, body=text, body_format=apprise.NotifyFormat.TEXT))

    return notify
