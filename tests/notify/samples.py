"""An alert and a message, with the parts that a test is about given as arguments."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from monitor.incident import Alert, WorstConversation, WorstIntent
from monitor.machine import NotificationKind
from monitor.notify.contract import Message
from monitor.verdict import Severity

OPENED_AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
KEY = "shop:production:support/overall"

ALERT = Alert(
    app="shop",
    environment="production",
    suite="support",
    scope="support/overall",
    rule="mean",
    severity=Severity.CRITICAL,
    dedup_key=KEY,
    incident_id="incident-1",
    title="shop: answers of support are worse",
    reason="average 0.612 is under the threshold of 0.700",
    average=0.612,
    threshold=0.7,
    success_rate=0.55,
    check_id="check-1",
    epoch="abcdef",
    opened_at=OPENED_AT,
    at=OPENED_AT,
    worst_intents=(WorstIntent(intent_id="return-window", mean=0.2, before=0.9),),
    worst_conversations=(
        WorstConversation(id="c 1/2", intent_id="return-window", value=0.1, summary="said 14 days instead of 30"),
    ),
    base_url="https://monitor.example/",
)
MEASURED: dict[str, Any] = {
    "interval": (0.58, 0.64),
    "drop": 0.12,
    "onset_at": OPENED_AT,
    "error_share": 0.12,
    "error_share_before": 0.01,
    "latency_seconds": 2.1,
}


def make_alert(**changes: Any) -> Alert:
    return replace(ALERT, **changes)


def make_message(kind: NotificationKind = NotificationKind.OPEN, **changes: Any) -> Message:
    alert = make_alert(**changes)
    return Message(kind=kind, alert=alert, dedup_key=alert.dedup_key)
