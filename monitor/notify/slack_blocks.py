"""Alerts as Slack messages (Block Kit). Pure: no client, no clock.

What strangers wrote (transcripts reach `reason` and the conversations' summaries) is shown and can do nothing: no
mention, no link, no code. The only links are those to our own pages. Every limit of Slack's holds by construction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.incident import Alert, WorstConversation, WorstIntent
from monitor.machine import NotificationKind
from monitor.notify.contract import Message
from monitor.notify.links import check_url, conversation_url, incident_url
from monitor.notify.wording import DEFUSED, duration, headline, measured, plain, replaced, score, time
from monitor.text import printable

EVENT_TYPE = "assistant_monitor_alert"
HEADER_LIMIT = 150
SECTION_LIMIT = 3000
_ID_LIMIT = 120
_FOOTER_ID_LIMIT = 40
_REASON_LIMIT = 1000
_SUMMARY_LIMIT = 300
_TEXT_LIMIT = 600
_INTENTS_SHOWN = 5
_CONVERSATIONS_SHOWN = 3

_INERT_MRKDWN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", **DEFUSED}

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackMessage:
    """A body for chat.postMessage and incoming webhooks. `text` is what notifications and old clients show."""

    text: str
    blocks: list[Json]
    metadata: Json


def render(message: Message) -> SlackMessage:
    """The message of its own kind."""
    return _compose(message, message.alert, headline(message.kind, message.alert))


def render_closed_opening(message: Message) -> SlackMessage:
    """What the opening message becomes at the end of its incident: its own evidence under a headline that says so."""
    opened = message.opened or message.alert
    return _compose(message, opened, f"✅ Resolved after {duration(message.alert)}: {opened.title}")


def inert(text: str, limit: int) -> str:
    """At most `limit` characters of the text on one line, then made such that mrkdwn finds nothing in it.

    The answer may be up to five times as long as `limit`: an entity is never cut.
    """
    return replaced(printable(text, limit), _INERT_MRKDWN)


def _compose(message: Message, alert: Alert, head: str) -> SlackMessage:
    numbers = f"average {score(alert.average)}, threshold {score(alert.threshold)}"
    evidence = [
        _evidence("Worst intents", [_intent_line(worst) for worst in alert.worst_intents[:_INTENTS_SHOWN]]),
        _evidence("Worst conversations", _conversation_lines(alert)),
    ]
    return SlackMessage(
        text=inert(f"{head} - {numbers} - {alert.reason}", _TEXT_LIMIT),
        blocks=[
            {"type": "header", "text": _plain(head, HEADER_LIMIT)},
            {"type": "section", "fields": _fields(message.kind, alert)},
            {"type": "section", "text": _plain(alert.reason or "no reason given", _REASON_LIMIT)},
            *(block for block in evidence if block),
            {"type": "context", "elements": _footer(message, alert)},
        ],
        metadata={
            "event_type": EVENT_TYPE,
            "event_payload": {"kind": message.kind.value, "dedup_key": message.dedup_key},
        },
    )


def _fields(kind: NotificationKind, alert: Alert) -> list[Json]:
    """At most ten, which is Slack's limit."""
    pairs = [
        *measured(alert),
        ("Scope", _code(alert.scope)),
        ("Rule", f"{_code(alert.rule)}, {alert.severity.value}"),
        ("Opened", time(alert.opened_at)),
    ]
    if kind is not NotificationKind.OPEN:
        pairs.append(("Duration", duration(alert)))
    return [_mrkdwn(f"*{name}*\n{value}") for name, value in pairs]


def _footer(message: Message, alert: Alert) -> list[Json]:
    """Where to look further; and kind and key, since an incoming webhook drops a message's metadata."""
    place = " ".join(_code(name, _FOOTER_ID_LIMIT) for name in (alert.app, alert.environment, alert.suite))
    url = incident_url(alert)
    parts = [_link(url, "incident")] if url else []
    parts += [_link(check_url(alert), f"check {alert.check_id}")] if alert.check_id else []
    parts += [f"epoch {_code(alert.epoch, _FOOTER_ID_LIMIT)}"] if alert.epoch else []
    return [_mrkdwn(" · ".join([place, *parts])), _mrkdwn(f"{message.kind.value} {_code(message.dedup_key, 500)}")]


def _intent_line(worst: WorstIntent) -> str:
    return f"{_code(worst.intent_id)} {score(worst.before)} → {score(worst.mean)}"


def _conversation_lines(alert: Alert) -> list[str]:
    return [_conversation_line(alert, worst) for worst in alert.worst_conversations[:_CONVERSATIONS_SHOWN]]


def _conversation_line(alert: Alert, worst: WorstConversation) -> str:
    link = _link(conversation_url(alert, worst.id), worst.intent_id)
    return f"{link} {score(worst.value)} {_code(worst.summary, _SUMMARY_LIMIT)}"


def _evidence(title: str, lines: Iterable[str]) -> Json | None:
    """A section of whole lines, as many as fit: cutting inside a line could break its markup open."""
    text = f"*{title}*"
    for line in lines:
        if len(text) + len(line) < SECTION_LIMIT:
            text += f"\n{line}"
    return {"type": "section", "text": _mrkdwn(text)} if "\n" in text else None


def _code(text: str, limit: int = _ID_LIMIT) -> str:
    return f"`{inert(text, limit) or '-'}`"


def _link(url: str | None, label: str) -> str:
    return f"<{url}|{inert(label, _ID_LIMIT) or 'open'}>" if url else _code(label)


def _mrkdwn(text: str) -> Json:
    # verbatim: Slack looks for no bare links, channels or mentions in it
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, limit: int) -> Json:
    # a plain text knows no markup, but clients may still make something of what looks like a link or a mention
    return {"type": "plain_text", "text": plain(text, limit) or "-", "emoji": False}
