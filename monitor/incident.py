"""Incidents, what a message tells of them, and the rows of the outbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.calibration import Standing
from monitor.canary import CanaryState
from monitor.machine import NotificationKind
from monitor.verdict import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An alert from open to resolved. `rule` and `reason` are of what is worst; `acked_by` took it, until then."""

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
    acked_by: str | None = None
    acked_until: datetime | None = None


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
    `interval` bounds the average (95 %); `drop` is how far it fell since `onset_at`, as the rules estimate both.
    `error_share` is the share of conversations that the assistant failed, `latency_seconds` the median of its answers;
    `..._before` is the same in the last healthy check. None: not measured.
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
    acked_by: str | None = None
    interval: tuple[float, float] | None = None
    drop: float | None = None
    onset_at: datetime | None = None
    error_share: float | None = None
    error_share_before: float | None = None
    latency_seconds: float | None = None
    latency_seconds_before: float | None = None


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
