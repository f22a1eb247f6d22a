"""The words of the alert machine: its state, the events that move it, and the effects that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.verdict import Severity, Verdict


class Phase(StrEnum):
    """Where the alert of one scope stands. RESOLVING: recovered, and its end is not yet told everywhere."""

    OK = "ok"
    FIRING = "firing"
    RESOLVING = "resolving"


class NotificationKind(StrEnum):
    """What a message says.

    UPDATE: the open incident changed (its severity, its reason). REMINDER: it is open still. ACK: somebody took it.
    INFO: needs nobody to act; also what became of an incident that opened and closed before it could be told.
    """

    OPEN = "open"
    UPDATE = "update"
    REMINDER = "reminder"
    ACK = "ack"
    RESOLVE = "resolve"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A rule that is in breach for the scope, until it recovers or is removed."""

    rule: str
    severity: Severity
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """The alert of one scope.

    `breaches` are the rules in breach, oldest first; the incident is open while there is one, and a flapping one until
    it is calm. `channels` were given the open (or are about to be: a row is in the outbox), `unresolved` are those not
    yet told of the end. `severity` is the highest of the incident so far.
    `suppressed_by` names the silence or maintenance window that keeps an open incident from being told; None: nothing
    does. `acked_by` and `acked_until`: who took it, and when that lapses. `reminders` were sent; the channels last
    heard of it at `reminded_at`. `escalated` counts the steps of escalation taken. `opens` are the times of late
    openings, for flapping; `calm` counts good verdicts in a row while flapping. `told_at`: when the first channel was
    given the open; `told_severity`: as how severe the incident was told last.
    `version` grows by one at every change that is stored.
    """

    scope: str
    phase: Phase = Phase.OK
    since: datetime | None = None
    incident_id: str | None = None
    severity: Severity | None = None
    breaches: tuple[Breach, ...] = ()
    channels: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    suppressed_by: str | None = None
    acked_by: str | None = None
    acked_until: datetime | None = None
    reminders: int = 0
    reminded_at: datetime | None = None
    escalated: int = 0
    opens: tuple[datetime, ...] = ()
    calm: int = 0
    is_flapping: bool = False
    told_at: datetime | None = None
    told_severity: Severity | None = None
    version: int = 0

    @property
    def lead(self) -> Breach | None:
        """The breach that the incident is named after: the loudest, of several the oldest. None: none is left."""
        return max(self.breaches, key=lambda breach: breach.severity.rank, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A silence or a maintenance window as it concerns one scope: alerting is suppressed from `starts_at` on and before
    `ends_at`.
    """

    name: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """An incident that nobody acknowledged is told on further channels this long after it was first told, if it is as
    severe as one of `severities`.
    """

    after: timedelta
    channels: tuple[str, ...]
    severities: tuple[Severity, ...] = tuple(Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """What the machine may do about one scope, as the configuration and the silences of the moment have it.

    `routes` are the channels of each severity (one without an entry is told nowhere). `inhibited_by` names the open
    incident (of the whole suite) that keeps this scope from *opening* one. `flapping_opens` is at least 1.
    `windows` are of the silences of the moment; `planned` gives the maintenance window that holds at a time.
    """

    routes: Mapping[Severity, tuple[str, ...]]
    windows: tuple[Window, ...] = ()
    planned: Callable[[datetime], Window | None] = lambda _: None
    inhibited_by: str | None = None
    escalations: tuple[Escalation, ...] = ()
    remind_every: timedelta = timedelta(hours=4)
    most_reminders: int = 6
    flapping_opens: int = 4
    flapping_within: timedelta = timedelta(hours=24)
    flapping_calm: int = 4

    @classmethod
    def everywhere(cls, *channels: str) -> AlertPolicy:
        """Every incident is told on all of these channels, however severe."""
        return cls(routes=dict.fromkeys(Severity, channels))

    def window(self, now: datetime) -> Window | None:
        """The window that suppresses alerting now; None: none does."""
        silence = next((window for window in self.windows if window.starts_at <= now < window.ends_at), None)
        return silence or self.planned(now)

    def channels(self, severity: Severity) -> tuple[str, ...]:
        """Who is told of an incident this severe."""
        return self.routes.get(severity, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRemoved:
    """The configuration no longer watches this scope by this rule (None: by any), or what it found is moot."""

    rule: str | None = None
    reason: str = "closed: rule removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A person closed the incident by hand. A rule that is still in breach opens a new one at its next verdict."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Somebody took the incident, until `until`; reminders and escalation rest meanwhile."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Silenced:
    """A silence began that covers this scope (it stands in the policy's windows)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceEnded:
    """A silence or a maintenance window that covered this scope is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A channel was told of the end of the incident (or it can never be told: a dead letter)."""

    channel: str
    incident_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time went by: reminders, escalation, acks that lapse, windows that begin and end."""


Event = Verdict | Ack | Silenced | MaintenanceEnded | RuleRemoved | Resolved | Delivered | Tick


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """Effect: write a new incident."""

    incident_id: str
    severity: Severity
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateIncident:
    """Effect: the open incident changed: another rule leads, its severity rose, it was acknowledged, or that lapsed.

    `rule` and `reason` are None where no rule is in breach (it is held open while it flaps): they stay as they were.
    """

    incident_id: str
    severity: Severity
    rule: str | None
    reason: str | None
    acked_by: str | None
    acked_until: datetime | None


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


Effect = OpenIncident | UpdateIncident | CloseIncident | Notify
