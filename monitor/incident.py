"""Incidents and the words of the alert machine: states, events, effects, and the rows of the outbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.calibration import Standing
from monitor.canary import CanaryState
from monitor.verdict import Severity, Verdict


class Phase(StrEnum):
    """Where the alert of one scope stands. RESOLVING: recovered, and its end is not yet told everywhere."""

    OK = "ok"
    FIRING = "firing"
    RESOLVING = "resolving"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """The alert of one scope.

    `channels` are those that were given the open, `unresolved` those not yet told of the end; `version` grows by one
    at every change that is stored.
    """

    scope: str
    phase: Phase = Phase.OK
    since: datetime | None = None
    incident_id: str | None = None
    rule: str | None = None
    severity: Severity | None = None
    channels: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """What the alert machine may do: the channels that every incident is told on."""

    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRemoved:
    """The configuration no longer watches this scope."""

    reason: str = "closed: rule removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A channel was told of the end of the incident (or it can never be told: a dead letter)."""

    channel: str
    incident_id: str


Event = Verdict | RuleRemoved | Delivered


class NotificationKind(StrEnum):
    """What a message says. INFO: it opened and closed before it could be told."""

    OPEN = "open"
    RESOLVE = "resolve"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """Effect: write a new incident."""

    incident_id: str
    severity: Severity
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseIncident:
    """Effect: write the end of an incident."""

    incident_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Effect: put one message into the outbox."""

    incident_id: str
    channel: str
    kind: NotificationKind
    severity: Severity


Effect = OpenIncident | CloseIncident | Notify


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An alert from open to resolved."""

    id: str
    scope: str
    dedup_key: str
    rule: str
    severity: Severity
    opened_at: datetime
    opened_by_check: str | None
    reason: str
    closed_at: datetime | None = None
    closed_by_check: str | None = None
    close_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstIntent:
    """One of the intents that an alert names, with its mean now and in the last healthy check (None: unknown)."""

    intent_id: str
    mean: float
    before: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstConversation:
    """One of the conversations that an alert links to."""

    id: str
    intent_id: str
    value: float
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What a message tells, free of any channel's format; a notifier renders it.

    `judge` says whether the judge's scores were held against people's labels; None: no judge took part. `canaries` says
    what is known of the monitor's own health; None: canaries are turned off.
    """

    app: str
    environment: str
    suite: str
    scope: str
    rule: str
    severity: Severity
    dedup_key: str
    incident_id: str
    title: str
    reason: str
    average: float | None
    threshold: float | None
    success_rate: float | None
    check_id: str | None
    epoch: str | None
    opened_at: datetime
    at: datetime
    worst_intents: tuple[WorstIntent, ...] = ()
    worst_conversations: tuple[WorstConversation, ...] = ()
    base_url: str | None = None
    judge: Standing | None = None
    canaries: CanaryState | None = None


class NotificationStatus(StrEnum):
    """Where an outbox row stands. SUPERSEDED: overtaken by its own end before any attempt."""

    PENDING = "pending"
    SENT = "sent"
    DEAD = "dead"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One row of the outbox. `reference` is the receiver's own id of the message (a Slack timestamp, say).

    `attempts` is written before each call, so an attempt whose answer was lost is never taken for none.
    """

    id: str
    sequence: int
    incident_id: str
    scope: str
    channel: str
    kind: NotificationKind
    dedup_key: str
    alert: Alert
    status: NotificationStatus
    created_at: datetime
    attempts: int = 0
    next_attempt_at: datetime | None = None
    sent_at: datetime | None = None
    last_error: str = ""
    reference: str | None = None
