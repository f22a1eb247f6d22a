"""What the pages show, worked out of the stored values: orders, marks and drawings. Knows no HTML and no HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from monitor.check import CheckSummary, IntentSummary
from monitor.fidelity import MEASURES, NO_RANGE, PUBLISHED, Fidelity
from monitor.incident import Incident, Notification


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line in the timeline of an incident. `check_id` names the check that caused it, if one did."""

    at: datetime
    title: str
    text: str = ""
    check_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure of the simulated users: what it is, its value (None: not measured), and what is published of it."""

    name: str
    meaning: str
    value: float | None
    published: str


def worst_intents_first(summary: CheckSummary | None) -> list[IntentSummary]:
    """Lowest mean first, then those without one."""
    intents = summary.intents if summary else ()
    return sorted(intents, key=lambda intent: (intent.mean is None, intent.mean or 0.0, intent.intent_id))


def fidelity_measures(fidelity: Fidelity | None) -> list[Measure]:
    """The measures of a check's users, in the order of `MEASURES`; none where no model played any."""
    if fidelity is None:
        return []
    return [
        Measure(name=name, meaning=meaning, value=getattr(fidelity, name), published=_published(name))
        for name, meaning in MEASURES.items()
    ]


def _published(name: str) -> str:
    known = PUBLISHED.get(name, {})
    return ", ".join(f"{who} {value:.2f}" for who, value in known.items()) or NO_RANGE


def timeline(
    incident: Incident, notifications: Iterable[Notification], deeds: Iterable[Happening] = (), *, first: str = ""
) -> list[Happening]:
    """Everything that is known about an incident, what people did included, oldest first. `first`: why it opened, where
    that is known; the incident's own reason is the newest one.
    """
    told = [happening for notification in notifications for happening in _delivery(notification)]
    opened = Happening(
        at=incident.opened_at, title="Opened", text=first or incident.reason, check_id=incident.opened_by_check
    )
    happenings = [opened, *told, *deeds]
    if incident.closed_at is not None:
        text, check_id = incident.close_reason, incident.closed_by_check
        happenings.append(Happening(at=incident.closed_at, title="Closed", text=text, check_id=check_id))
    return sorted(happenings, key=lambda happening: happening.at)


def _delivery(notification: Notification) -> list[Happening]:
    """A notification's place in the outbox, and its delivery as a line of its own where there was one."""
    what = f"{notification.kind.capitalize()} message for {notification.channel}"
    tries = f"{notification.attempts} {'attempt' if notification.attempts == 1 else 'attempts'}"
    if notification.sent_at is not None:
        sent = Happening(at=notification.sent_at, title=f"{what}: sent", text=tries)
        return [Happening(at=notification.created_at, title=f"{what}: queued"), sent]
    text = f"{tries}; last error: {notification.last_error}" if notification.last_error else tries
    return [Happening(at=notification.created_at, title=f"{what}: {notification.status}", text=text)]
