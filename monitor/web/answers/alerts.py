"""Incidents, messages, silences, windows, deeds and baselines as the API tells them."""

from __future__ import annotations

from monitor.incident import NotificationStatus
from monitor.machine import NotificationKind
from monitor.store import Baseline
from monitor.suppression import Silence
from monitor.verdict import Severity
from monitor.web.answers.answer import Answer, Told
from monitor.web.cursors import NumberCursor, PlaceCursor
from monitor.web.moments import Moment


class IncidentAnswer(Answer):
    """One incident."""

    id: str
    scope: str
    rule: str
    severity: Severity
    reason: str
    opened_at: Moment
    opened_by_check: str | None
    closed_at: Moment | None
    close_reason: Told
    acked_by: str | None
    acked_until: Moment | None


class NotificationAnswer(Answer):
    """One message of the outbox, without its text."""

    channel: str
    kind: NotificationKind
    status: NotificationStatus
    attempts: int
    created_at: Moment
    sent_at: Moment | None
    last_error: Told


class WholeIncidentAnswer(IncidentAnswer):
    """One incident, and what was told of it."""

    notifications: list[NotificationAnswer]


class IncidentsAnswer(Answer):
    """One part of the incidents, newest first."""

    incidents: list[IncidentAnswer]
    next: PlaceCursor | None


class SilenceAnswer(Answer):
    """One silence; `ends_at` is when it was taken back, if it was."""

    id: str
    pattern: str
    starts_at: Moment
    ends_at: Moment
    created_by: str
    reason: str

    @classmethod
    def of(cls, silence: Silence) -> SilenceAnswer:
        """The answer for a stored one."""
        return cls(
            id=silence.id,
            pattern=silence.scope_pattern,
            starts_at=silence.starts_at,
            ends_at=silence.window.ends_at,
            created_by=silence.created_by,
            reason=silence.reason,
        )


class SilencesAnswer(Answer):
    """One part of the silences, the latest to begin first."""

    silences: list[SilenceAnswer]
    next: PlaceCursor | None


class WindowAnswer(Answer):
    """A time from `starts_at` on and before `ends_at`."""

    starts_at: Moment
    ends_at: Moment


class MaintenanceAnswer(Answer):
    """One planned window: the time that holds now (null: none does), and the next ones."""

    name: str
    scopes: list[str]
    now: WindowAnswer | None
    next: list[WindowAnswer]


class MaintenancesAnswer(Answer):
    """All that is planned."""

    maintenance: list[MaintenanceAnswer]


class DeedAnswer(Answer):
    """What somebody did."""

    at: Moment
    actor: str
    action: str
    subject: str
    detail: Told


class DeedsAnswer(Answer):
    """One part of what people did, newest first."""

    audit: list[DeedAnswer]
    next: NumberCursor | None


class BaselineAnswer(Answer):
    """Whose rules learn anew, and since when; not what they know."""

    suite: str
    epoch: str
    since: Moment

    @classmethod
    def of(cls, baseline: Baseline) -> BaselineAnswer:
        """The answer for a stored one."""
        return cls(suite=baseline.suite, epoch=baseline.epoch, since=baseline.at)


class ReloadedAnswer(Answer):
    """The configuration was read anew, and holds."""

    reloaded: bool
