"""What is done to alerts outside of checks, by people and by time: load, step, commit. One way for CLI, API and daemon.

All methods block and may raise StoreFailure. An alert that moves meanwhile is read and stepped again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from monitor.audit import AuditEntry
from monitor.briefing import Briefing, Ended, Surroundings, Told, with_evidence
from monitor.check import CheckStatus
from monitor.closing import Known, changes_of, overall_scope, removals
from monitor.errors import NotThere, OverAlready, StaleWrite
from monitor.incident import Alert, Incident
from monitor.machine import (
    Ack,
    AlertPolicy,
    AlertState,
    Event,
    MaintenanceEnded,
    NotificationKind,
    Notify,
    Phase,
    Resolved,
    RuleRemoved,
    Silenced,
    Tick,
)
from monitor.maintenance import Maintenance
from monitor.rules import intent, regression
from monitor.rules.decide import without_baseline
from monitor.rules.evidence import Evidence
from monitor.rules.policy import RulesPolicy
from monitor.store import AlertChanges, Baseline, Store, joined
from monitor.suppression import Silence, windows_of
from monitor.verdict import Finding, Verdict

STEP_TRIES = 5
_LISTED = "`incidents list` and GET /api/v1/incidents show"
EventsOf = Callable[[AlertState], Sequence[Event]]
"""What happens to an alert, by how it stands when it is stepped."""

OF_BASELINE = (regression.NAME, intent.NAME)
NEW_BASELINE = "closed: new baseline"
CONCLUSIVE = frozenset({CheckStatus.HEALTHY, CheckStatus.DEGRADED})
OF_CHECKS = (NotificationKind.OPEN, NotificationKind.UPDATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """`policy_of` and `rules_of` tell what holds for a scope; `rules_of` gives None for one that is not watched.
    `maintenance` is what is planned, to be shown; policies know it.
    """

    store: Store
    policy_of: Callable[[str], AlertPolicy]
    rules_of: Callable[[str], RulesPolicy | None]
    surroundings: Surroundings
    now: Callable[[], datetime]
    maintenance: Sequence[Maintenance] = ()

    def tick(self) -> int:
        """Let time act on every open incident: reminders, escalation, windows that ended; how many moved."""
        return self._step_firing(lambda _: [Tick()])

    def retire(self, *, spared: Collection[str] = ()) -> int:
        """End what the configuration no longer watches: whoever was paged is told; how many moved.

        What a check of a `spared` suite may still bring up again is left for later.
        """

        def gone(state: AlertState) -> Sequence[Event]:
            is_spared = state.scope.rpartition("/")[0] in spared
            return () if is_spared else removals(state, self.rules_of(state.scope))

        return self._step_firing(gone)

    def judge(self, verdicts: Sequence[Verdict]) -> int:
        """Step alerts by verdicts that no check made; how many moved. A recovery is told to whom it concerns alone."""
        states = {state.scope: state for state in self.store.alert_states()}
        said: dict[str, list[Verdict]] = {}
        for verdict in verdicts:
            known = states.get(verdict.scope)
            breached = {breach.rule for breach in known.breaches} if known else set()
            is_over = verdict.finding is Finding.RECOVERED and verdict.rule in breached
            if verdict.finding is Finding.BREACH or is_over:
                said.setdefault(verdict.scope, []).append(verdict)
        return sum(self._step(scope, _always(found)) for scope, found in said.items())

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

    def rebaseline(self, suite: str, *, by: str, reason: str) -> Baseline:
        """Let the rules of a suite learn anew what is usual, under its newest epoch; what they found so far is moot.

        Raises NotThere for a suite that is not watched or has no baseline yet.
        """
        if self.rules_of(overall_scope(suite)) is None:
            raise NotThere(f"there is no suite {suite}; `validate` shows those that there are")
        for left in reversed(range(STEP_TRIES)):
            before = self.store.newest_baseline(suite)
            if before is None:
                raise NotThere(f"{suite} has no baseline yet; its first checks take one")
            now = self.now()
            memory = without_baseline(before.memory)
            after = replace(before, version=before.version + 1, at=now, memory=memory)
            try:
                self.store.rebaseline(after, self._made_moot(suite, before.epoch, by, reason))
            except StaleWrite:
                if not left:
                    raise
            else:
                return after
        raise AssertionError("unreachable")

    def note_reload(self, *, by: str, is_refused: bool) -> None:
        """Record that somebody had the configuration read anew."""
        self.store.append_audit(self._entry(by, "configuration.reload", "", "refused" if is_refused else ""))

    def _made_moot(self, suite: str, epoch: str, by: str, reason: str) -> AlertChanges:
        """The end of everything that was found by comparing with the old baseline, and who wanted that."""
        moot = [state.scope for state in self._firing() if state.scope.rpartition("/")[0] == suite]
        told = f"epoch {epoch}: {reason}" if reason else f"epoch {epoch}"
        entry = AlertChanges(audit=(self._entry(by, "baseline.restart", suite, told),))
        return joined([*(self._changes(scope, _moot) for scope in moot), entry])

    def _firing(self) -> list[AlertState]:
        return [state for state in self.store.alert_states() if state.phase is Phase.FIRING]

    def _on(self, incident_id: str, event: Event, action: str, by: str, detail: str) -> Incident:
        incident = self.store.incident(incident_id)
        if incident is None:
            raise NotThere(f"incident {incident_id} is not there; {_LISTED} those that are")

        def aimed(state: AlertState) -> list[Event]:
            # The scope may have another incident by now, which nobody has seen yet.
            if state.phase is not Phase.FIRING or state.incident_id != incident_id:
                raise OverAlready(f"incident {incident_id} is closed already; {_LISTED} the open ones")
            return [event]

        self._step(incident.scope, aimed, self._entry(by, action, incident_id, detail))
        return self.store.incident(incident_id) or incident

    def _entry(self, by: str, action: str, subject: str, detail: str) -> AuditEntry:
        return AuditEntry(at=self.now(), actor=by, action=action, subject=subject, detail=detail)

    def _step_firing(self, events_of: EventsOf) -> int:
        return sum(self._step(state.scope, events_of) for state in self._firing() if events_of(state))

    def _step(self, scope: str, events_of: EventsOf, entry: AuditEntry | None = None) -> bool:
        """Whether the alert moved. A deed is recorded even where it moved nothing."""
        for left in reversed(range(STEP_TRIES)):
            changes = self._changes(scope, events_of)
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

    def _changes(self, scope: str, events_of: EventsOf) -> AlertChanges:
        state, now = self.store.alert_state(scope), self.now()
        incident = self.store.incident(state.incident_id) if state.incident_id else None
        windows = windows_of(scope, self.store.silences(lasting_at=now))
        policy = replace(self.policy_of(scope), windows=windows)
        changes = changes_of(events_of(state), Known(state=state, incident=incident), policy, self.surroundings, now)
        known = self._evidence(incident) if incident and changes.notifications else None
        return _told_by(changes, known) if known else changes

    def _evidence(self, incident: Incident) -> Alert | None:
        """What is known of an incident: by the last message that a check made of it, else by its newest check."""
        told = [row.alert for row in self.store.notifications(incident.id) if row.kind in OF_CHECKS]
        return next((alert for alert in reversed(told) if alert.check_id), None) or self._newest_check(incident)

    def _newest_check(self, incident: Incident) -> Alert | None:
        """What its newest check would have told; None where no check said anything since it began."""
        suite, rules = incident.scope.rpartition("/")[0], self.rules_of(incident.scope)
        newest = self.store.checks(suite, limit=1, statuses=CONCLUSIVE, alerting_only=True)
        check = newest[0] if newest else None
        if check is None or not check.summary or not check.finished_at or check.finished_at < incident.opened_at:
            return None
        healthy = self.store.checks(suite, limit=1, statuses={CheckStatus.HEALTHY}, epoch=check.epoch)
        ended = Ended(
            check=check,
            conversations=self.store.conversations(check.id),
            summary=check.summary,
            evidence=Evidence(at=check.finished_at, intents=(), rounds=0),  # the rules have had their say
            threshold=rules.threshold if rules else None,
        )
        before = Told(summary=healthy[0].summary if healthy else None)
        briefing = Briefing(surroundings=self.surroundings, now=check.finished_at, ended=ended, before=before)
        opening = Notify(incident_id=incident.id, channel="", kind=NotificationKind.OPEN, severity=incident.severity)
        return briefing.alert(opening, incident, acked_by=None)


def _told_by(changes: AlertChanges, known: Alert) -> AlertChanges:
    """The messages about one incident with what is known of it; those about another stay as they are."""
    told = [
        replace(draft, alert=with_evidence(draft.alert, known, draft.kind))
        if draft.incident_id == known.incident_id
        else draft
        for draft in changes.notifications
    ]
    return replace(changes, notifications=tuple(told))


def _always(events: Sequence[Event]) -> EventsOf:
    return lambda _: events


def _moot(state: AlertState) -> list[RuleRemoved]:
    """What an alert has of the old baseline."""
    found = [breach.rule for breach in state.breaches if breach.rule in OF_BASELINE]
    return [RuleRemoved(rule=rule, reason=NEW_BASELINE) for rule in found]
