"""What is done to alerts outside of checks, by people and by time: load, step, commit. One way for CLI, API and daemon.

All methods block and may raise StoreFailure. An alert that moves meanwhile is read and stepped again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from monitor.audit import AuditEntry
from monitor.briefing import Surroundings
from monitor.closing import Known, changes_of, removals
from monitor.errors import NotThere, StaleWrite
from monitor.incident import Incident
from monitor.machine import (
    Ack,
    AlertPolicy,
    AlertState,
    Event,
    MaintenanceEnded,
    Phase,
    Resolved,
    Silenced,
    Tick,
)
from monitor.rules.policy import RulesPolicy
from monitor.store import AlertChanges, Store
from monitor.suppression import Silence, windows_of

STEP_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """`policy_of` and `rules_of` tell what holds for a scope; `rules_of` gives None for one that is not watched."""

    store: Store
    policy_of: Callable[[str], AlertPolicy]
    rules_of: Callable[[str], RulesPolicy | None]
    surroundings: Surroundings
    now: Callable[[], datetime]

    def tick(self) -> int:
        """Let time act on every open incident: reminders, escalation, windows that ended; how many moved."""
        return self._step_firing(lambda _: [Tick()])

    def retire(self) -> int:
        """End what the configuration no longer watches: whoever was paged is told; how many moved."""
        return self._step_firing(lambda state: removals(state, self.rules_of(state.scope)))

    def acknowledge(self, incident_id: str, *, by: str, lasting: timedelta) -> Incident:
        """Take an open incident for a while: no reminder and no escalation meanwhile. Raises NotThere."""
        until = self.now() + lasting
        return self._on(incident_id, Ack(by=by, until=until), "incident.ack", by, f"until {until:%Y-%m-%d %H:%M} UTC")

    def resolve(self, incident_id: str, *, by: str, reason: str) -> Incident:
        """Close an open incident by hand. A rule that is still in breach opens a new one. Raises NotThere."""
        return self._on(incident_id, Resolved(by=by, reason=reason), "incident.resolve", by, reason)

    def silence(self, pattern: str, *, by: str, reason: str, starts_at: datetime, ends_at: datetime) -> Silence:
        """Keep people from being told of the scopes that match, for a time."""
        wanted = Silence(
            id=uuid4().hex[:12],
            scope_pattern=pattern,
            created_by=by,
            reason=reason,
            starts_at=starts_at,
            ends_at=ends_at,
        )
        detail = f"{pattern} until {ends_at:%Y-%m-%d %H:%M} UTC: {reason}"
        self.store.add_silence(wanted, self._entry(by, "silence.add", wanted.id, detail))
        self._step_firing(lambda state: [Silenced()] if wanted.concerns(state.scope) else [])
        return wanted

    def expire(self, silence_id: str, *, by: str) -> Silence:
        """End a silence now; what is still in breach is told. Raises NotThere."""
        ended = self.store.expire_silence(silence_id, self._entry(by, "silence.expire", silence_id, ""))
        if ended is None:
            raise NotThere(f"there is no silence {silence_id}; `silence list` shows those that there are")
        self._step_firing(lambda state: [MaintenanceEnded()] if ended.concerns(state.scope) else [])
        return ended

    def _on(self, incident_id: str, event: Event, action: str, by: str, detail: str) -> Incident:
        incident = self.store.incident(incident_id)
        if incident is None or incident.closed_at is not None:
            what = "is closed already" if incident else "is not there"
            raise NotThere(f"incident {incident_id} {what}; `incidents list` shows the open ones")
        self._step(incident.scope, [event], self._entry(by, action, incident_id, detail))
        return self.store.incident(incident_id) or incident

    def _entry(self, by: str, action: str, subject: str, detail: str) -> AuditEntry:
        return AuditEntry(at=self.now(), actor=by, action=action, subject=subject, detail=detail)

    def _step_firing(self, events_of: Callable[[AlertState], Iterable[Event]]) -> int:
        moved = 0
        for state in self.store.alert_states():
            if state.phase is Phase.FIRING and (events := [*events_of(state)]):
                moved += self._step(state.scope, events)
        return moved

    def _step(self, scope: str, events: Sequence[Event], entry: AuditEntry | None = None) -> bool:
        """Whether the alert moved. A deed is recorded even where it moved nothing."""
        for left in reversed(range(STEP_TRIES)):
            changes = self._changes(scope, events)
            if entry is not None:
                changes = replace(changes, audit=(entry,))
            try:
                if changes != AlertChanges():
                    self.store.change_alerts(changes)
            except StaleWrite:
                if not left:
                    raise
            else:
                return bool(changes.states)
        raise AssertionError("unreachable")

    def _changes(self, scope: str, events: Sequence[Event]) -> AlertChanges:
        state, now = self.store.alert_state(scope), self.now()
        incident = self.store.incident(state.incident_id) if state.incident_id else None
        windows = windows_of(scope, self.store.silences(lasting_at=now))
        policy = replace(self.policy_of(scope), windows=windows)
        return changes_of(events, Known(state=state, incident=incident), policy, self.surroundings, now)
