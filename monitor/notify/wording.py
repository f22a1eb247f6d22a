"""What messages say to people, in words that every channel shares, and strangers' text made harmless. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from monitor.incident import Alert
from monitor.machine import NotificationKind
from monitor.rules import monitor
from monitor.text import printable, shorten
from monitor.verdict import Severity

_ZERO_WIDTH_SPACE = "\u200b"
DEFUSED = {
    "`": "\u02cb",  # Slack has no escape for the end of a code span
    "@": "@" + _ZERO_WIDTH_SPACE,
    "#": "#" + _ZERO_WIDTH_SPACE,
    "://": ":" + _ZERO_WIDTH_SPACE + "//",
}
_PLAIN = {"<": "\u2039", **DEFUSED}
_SIGNS = {Severity.CRITICAL: "🔴", Severity.ERROR: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}


def headline(kind: NotificationKind, alert: Alert) -> str:
    """One line that says what happened, as long as the alert's title makes it."""
    match kind:
        case NotificationKind.OPEN:
            return f"{_SIGNS[alert.severity]} {alert.title}"
        case NotificationKind.UPDATE:
            return f"{_SIGNS[alert.severity]} Now {alert.severity.value}: {alert.title}"
        case NotificationKind.REMINDER:
            return f"⏳ Still open after {duration(alert)}: {alert.title}"
        case NotificationKind.ACK:
            return f"👀 Taken by {alert.acked_by or 'somebody'}: {alert.title}"
        case NotificationKind.RESOLVE:
            return f"✅ Resolved: {alert.title}"
        case NotificationKind.INFO:
            return f"🔵 For information: {alert.title}"


def measured(alert: Alert) -> Iterator[tuple[str, str]]:
    """Names and values of what was measured, free of strangers' text. What was not measured is left out, except the
    average and the success rate, which are told to be unknown. Of the monitor itself nothing is measured.
    """
    if monitor.is_own(alert.scope):
        return
    low_to_high = f", {alert.interval[0]:.3f} to {alert.interval[1]:.3f}" if alert.interval else ""
    yield "Average", f"{score(alert.average)}{low_to_high} (threshold {score(alert.threshold)})"
    yield "Success rate", "unknown" if alert.success_rate is None else f"{alert.success_rate:.0%}"
    if alert.drop is not None:
        since = f" since {time(alert.onset_at)}" if alert.onset_at else ""
        yield "Fall", f"{alert.drop:.3f}{since}"
    assistant = [*_compared("errors", alert.error_share, alert.error_share_before, ".1%")]
    assistant += _compared("answers in", alert.latency_seconds, alert.latency_seconds_before, ".1f", " s")
    if assistant:
        yield "Assistant", ", ".join(assistant)
    if alert.judge is not None:
        yield "Judge", alert.judge.value
    if alert.canaries is not None:
        yield "Canaries", alert.canaries.value


def plain(text: str, limit: int) -> str:
    """At most `limit` characters on one line of which no client makes markup, a link or a mention."""
    return shorten(replaced(printable(text, limit), _PLAIN), limit)


def replaced(text: str, substitutes: Mapping[str, str]) -> str:
    """The text with each sequence replaced, in the order of the mapping."""
    for sequence, harmless in substitutes.items():
        text = text.replace(sequence, harmless)
    return text


def score(value: float | None) -> str:
    """A score as people read it."""
    return "unknown" if value is None else f"{value:.3f}"


def time(moment: datetime) -> str:
    """A time as people read it."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def duration(alert: Alert) -> str:
    """How long the incident had been open when the message was made."""
    seconds = max(0, int((alert.at - alert.opened_at).total_seconds()))
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def _compared(name: str, now: float | None, before: float | None, form: str, unit: str = "") -> Iterator[str]:
    if now is not None:
        was = f" (before {before:{form}}{unit})" if before is not None else ""
        yield f"{name} {now:{form}}{unit}{was}"
