"""Incidents, silences, maintenance windows and deeds as JSON: one form for the API and for `--json`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from monitor.audit import AuditEntry
from monitor.incident import Incident, Notification
from monitor.machine import Window
from monitor.maintenance import Maintenance
from monitor.store import Baseline
from monitor.suppression import Silence

NEXT_WINDOWS = 3
Document = dict[str, Any]


def incident_document(incident: Incident) -> Document:
    """One incident."""
    return {
        "id": incident.id,
        "scope": incident.scope,
        "rule": incident.rule,
        "severity": incident.severity.value,
        "reason": incident.reason,
        "opened_at": incident.opened_at.isoformat(),
        "opened_by_check": incident.opened_by_check,
        "closed_at": _time(incident.closed_at),
        "close_reason": incident.close_reason or None,
        "acked_by": incident.acked_by,
        "acked_until": _time(incident.acked_until),
    }


def notification_document(message: Notification) -> Document:
    """One message of the outbox, without its text."""
    return {
        "channel": message.channel,
        "kind": message.kind.value,
        "status": message.status.value,
        "attempts": message.attempts,
        "created_at": message.created_at.isoformat(),
        "sent_at": _time(message.sent_at),
        "last_error": message.last_error or None,
    }


def silence_document(one: Silence) -> Document:
    """One silence; `ends_at` is when it was taken back, if it was."""
    return {
        "id": one.id,
        "pattern": one.scope_pattern,
        "starts_at": one.starts_at.isoformat(),
        "ends_at": one.window.ends_at.isoformat(),
        "created_by": one.created_by,
        "reason": one.reason,
    }


def maintenance_document(planned: Maintenance, now: datetime) -> Document:
    """One planned window: the time that holds now (null: none does), and the next ones."""
    held = planned.holding(now)
    return {
        "name": planned.name,
        "scopes": list(planned.scopes),
        "now": _window(held) if held else None,
        "next": [_window(window) for window in planned.upcoming(now, NEXT_WINDOWS)],
    }


def audit_document(entry: AuditEntry) -> Document:
    """One deed."""
    return {
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail or None,
    }


def baseline_document(baseline: Baseline) -> Document:
    """Whose rules learn anew, and since when; not what they know."""
    return {"suite": baseline.suite, "epoch": baseline.epoch, "since": baseline.at.isoformat()}


def _window(window: Window) -> Document:
    return {"starts_at": window.starts_at.isoformat(), "ends_at": window.ends_at.isoformat()}


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
