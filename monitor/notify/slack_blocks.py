"""Alerts as Slack messages (Block Kit). Pure: no client, no clock.

What strangers wrote (transcripts reach `reason` and the conversations' summaries) is shown and can do nothing: no
mention, no link, no code. The only links are those to our own pages. Every limit of Slack's holds by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.incident import Alert, NotificationKind, WorstConversation, WorstIntent
from monitor.notify.contract import Message
from monitor.notify.links import check_url, conversation_url
from monitor.text import printable, shorten
from monitor.verdict import Severity

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

_ZERO_WIDTH_SPACE = "\u200b"
_DEFUSED = {
    "`": "\u02cb",  # Slack has no escape for the end of a code span
    "@": "@" + _ZERO_WIDTH_SPACE,
    "#": "#" + _ZERO_WIDTH_SPACE,
    "://": ":" + _ZERO_WIDTH_SPACE + "//",
}
_INERT_MRKDWN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", **_DEFUSED}
_INERT_PLAIN = {"<": "\u2039", **_DEFUSED}
_SIGNS = {Severity.CRITICAL: "🔴", Severity.ERROR: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackMessage:
    """A body for chat.postMessage and incoming webhooks. `text` is what notifications and old clients show."""

    text: str
    blocks: list[Json]
    metadata: Json


def render(message: Message) -> SlackMessage:
    """The message of its own kind."""
    return _compose(message, message.alert, _headline(message.kind, message.alert))


def render_closed_opening(message: Message) -> SlackMessage:
    """What the opening message becomes at the end of its incident: its own evidence under a headline that says so."""
    opened = message.opened or message.alert
    return _compose(message, opened, f"✅ Resolved after {_duration(message.alert)}: {opened.title}")


def inert(text: str, limit: int) -> str:
    """At most `limit` characters of the text on one line, then made such that mrkdwn finds nothing in it.

    The answer may be up to five times as long as `limit`: an entity is never cut.
    """
    return _replace(printable(text, limit), _INERT_MRKDWN)


def _compose(message: Message, alert: Alert, headline: str) -> SlackMessage:
    numbers = f"average {_score(alert.average)}, threshold {_score(alert.threshold)}"
    evidence = [
        _evidence("Worst intents", [_intent_line(worst) for worst in alert.worst_intents[:_INTENTS_SHOWN]]),
        _evidence("Worst conversations", _conversation_lines(alert)),
    ]
    return SlackMessage(
        text=inert(f"{headline} - {numbers} - {alert.reason}", _TEXT_LIMIT),
        blocks=[
            {"type": "header", "text": _plain(headline, HEADER_LIMIT)},
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


def _headline(kind: NotificationKind, alert: Alert) -> str:
    match kind:
        case NotificationKind.OPEN:
            return f"{_SIGNS[alert.severity]} {alert.title}"
        case NotificationKind.RESOLVE:
            return f"✅ Resolved: {alert.title}"
        case NotificationKind.INFO:
            return f"🔵 For information: {alert.title}"


def _fields(kind: NotificationKind, alert: Alert) -> list[Json]:
    rate = "unknown" if alert.success_rate is None else f"{alert.success_rate:.0%}"
    pairs = [
        ("Average", f"{_score(alert.average)} (threshold {_score(alert.threshold)})"),
        ("Success rate", rate),
        ("Scope", _code(alert.scope)),
        ("Rule", f"{_code(alert.rule)}, {alert.severity.value}"),
        ("Opened", _time(alert.opened_at)),
    ]
    if alert.judge is not None:
        pairs.append(("Judge", alert.judge.value))
    if alert.canaries is not None:
        pairs.append(("Canaries", alert.canaries.value))
    if kind is not NotificationKind.OPEN:
        pairs.append(("Duration", _duration(alert)))
    return [_mrkdwn(f"*{name}*\n{value}") for name, value in pairs]


def _footer(message: Message, alert: Alert) -> list[Json]:
    """Where to look further; and kind and key, since an incoming webhook drops a message's metadata."""
    place = " ".join(_code(name, _FOOTER_ID_LIMIT) for name in (alert.app, alert.environment, alert.suite))
    parts = [_link(check_url(alert), f"check {alert.check_id}")] if alert.check_id else []
    parts += [f"epoch {_code(alert.epoch, _FOOTER_ID_LIMIT)}"] if alert.epoch else []
    return [_mrkdwn(" · ".join([place, *parts])), _mrkdwn(f"{message.kind.value} {_code(message.dedup_key, 500)}")]


def _intent_line(worst: WorstIntent) -> str:
    return f"{_code(worst.intent_id)} {_score(worst.before)} → {_score(worst.mean)}"


def _conversation_lines(alert: Alert) -> list[str]:
    return [_conversation_line(alert, worst) for worst in alert.worst_conversations[:_CONVERSATIONS_SHOWN]]


def _conversation_line(alert: Alert, worst: WorstConversation) -> str:
    link = _link(conversation_url(alert, worst.id), worst.intent_id)
    return f"{link} {_score(worst.value)} {_code(worst.summary, _SUMMARY_LIMIT)}"


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
    shown = shorten(_replace(printable(text, limit), _INERT_PLAIN), limit)
    return {"type": "plain_text", "text": shown or "-", "emoji": False}


def _replace(text: str, substitutes: Mapping[str, str]) -> str:
    for sequence, harmless in substitutes.items():
        text = text.replace(sequence, harmless)
    return text


def _score(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _duration(alert: Alert) -> str:
    seconds = max(0, int((alert.at - alert.opened_at).total_seconds()))
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
