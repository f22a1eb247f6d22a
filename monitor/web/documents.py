"""Incidents, silences, maintenance windows and deeds as plain JSON for `--json`: the API's answers, written out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from monitor.audit import AuditEntry
from monitor.incident import Incident, Notification
from monitor.maintenance import Maintenance
from monitor.store import Baseline
from monitor.suppression import Silence
from monitor.web.answers.alerts import (
    BaselineAnswer,
    DeedAnswer,
    IncidentAnswer,
    MaintenanceAnswer,
    NotificationAnswer,
    SilenceAnswer,
    WindowAnswer,
)

NEXT_WINDOWS = 3
Document = dict[str, Any]


def incident_document(incident: Incident) -> Document:
    """One incident."""
    return IncidentAnswer.model_validate(incident).model_dump(mode="json")


def notification_document(message: Notification) -> Document:
    """One message of the outbox, without its text."""
    return NotificationAnswer.model_validate(message).model_dump(mode="json")


def silence_document(one: Silence) -> Document:
    """One silence; `ends_at` is when it was taken back, if it was."""
    return SilenceAnswer.of(one).model_dump(mode="json")


def maintenance_document(planned: Maintenance, now: datetime) -> Document:
    """One planned window: the time that holds now (null: none does), and the next ones."""
    return maintenance_answer(planned, now).model_dump(mode="json")


def maintenance_answer(planned: Maintenance, now: datetime) -> MaintenanceAnswer:
    """The same for the API."""
    held = planned.holding(now)
    return MaintenanceAnswer(
        name=planned.name,
        scopes=[*planned.scopes],
        now=None if held is None else WindowAnswer.model_validate(held),
        next=[WindowAnswer.model_validate(window) for window in planned.upcoming(now, NEXT_WINDOWS)],
    )


def audit_document(entry: AuditEntry) -> Document:
    """One deed."""
    return DeedAnswer.model_validate(entry).model_dump(mode="json")


def baseline_document(baseline: Baseline) -> Document:
    """Whose rules learn anew, and since when; not what they know."""
    return BaselineAnswer.of(baseline).model_dump(mode="json")
