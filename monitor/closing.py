"""The end of a check as one value: its verdicts, the steps of its alerts, the incidents and the messages to send.

Pure: what was measured and what is known go in, what one transaction has to write comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from uuid import NAMESPACE_OID, uuid5

from monitor.alert import steps
from monitor.briefing import Briefing, Ended, Surroundings, Told
from monitor.check import CheckRecord, CheckStatus, CheckSummary, Trigger
from monitor.incident import Incident
from monitor.machine import (
    AlertPolicy,
    AlertState,
    CloseIncident,
    Effect,
    Event,
    Notify,
    OpenIncident,
    Phase,
    RuleRemoved,
    UpdateIncident,
)
from monitor.rules import intent, nodata
from monitor.rules.decide import decide
from monitor.rules.mean import judge_mean, status_of, too_few
from monitor.rules.memory import Memory
from monitor.rules.policy import RulesPolicy
from monitor.store import AlertChanges, Baseline, Closing, NotificationDraft, joined
from monitor.suggestion import suggest_baseline
from monitor.suppression import Silence, windows_of
from monitor.verdict import OVERALL, Finding, Verdict

NOT_WATCHED = RuleRemoved(rule=intent.NAME, reason="closed: it passes too seldom by its new baseline to be watched")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The alert of one scope when an event comes, and its incident if it has one."""

    state: AlertState
    incident: Incident | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What a check is decided on, and what messages tell besides it.

    `alerts` by scope; `baseline`: what the rules remember (None: nothing yet); `earlier`: averages of the conclusive
    checks before, newest first; `silences`: those that are not over; `doubt`: why no score of this check is to be
    believed (None: they are).
    """

    alerts: Mapping[str, Known] = field(default_factory=dict)
    baseline: Baseline | None = None
    earlier: Sequence[float] = ()
    silences: Sequence[Silence] = ()
    told: Told | None = None
    doubt: str | None = None


def overall_scope(suite: str) -> str:
    """The scope of a suite's average."""
    return f"{suite}/{OVERALL}"


def conclude(
    ended: Ended,
    background: Background,
    rules: RulesPolicy,
    policy_of: Callable[[str], AlertPolicy],
    surroundings: Surroundings,
    *,
    now: datetime,
) -> Closing:
    """What the last transaction of a check writes; `policy_of` is asked about each scope. A manual check only measures:
    it leaves alerts as they are, and the rules learn nothing from it.
    """
    suite = ended.check.suite
    remembered = background.baseline
    doubt = background.doubt
    decision = decide(suite, ended.evidence, remembered.memory if remembered else Memory(), rules, doubt=doubt)
    verdicts = decision.verdicts
    if rules.mean:
        verdicts += (judge_mean(overall_scope(suite), ended.summary, background.earlier, rules.mean, doubt=doubt),)
    status, reason = (CheckStatus.INCONCLUSIVE, doubt) if doubt else _status(ended.summary, verdicts, rules)
    check = replace(ended.check, status=status, reason=reason, finished_at=now, summary=ended.summary)
    closing = Closing(check=check, slot=ended.slot, verdicts=verdicts)
    if check.trigger is Trigger.MANUAL:
        return closing
    ended = replace(ended, check=check, shifts=decision.shifts)
    verdicts += _end_of_nodata(check, background)
    changes = _alert_changes(ended, verdicts, background, policy_of, surroundings, now, unwatched=decision.unwatched)
    overall = overall_scope(suite)
    policy = replace(policy_of(overall), windows=windows_of(overall, background.silences))
    suggested = suggest_baseline(ended, decision, policy, surroundings, now)
    changes = replace(changes, notifications=(*changes.notifications, *suggested.notifications))
    baseline = Baseline(
        suite=suite,
        epoch=check.epoch,
        version=remembered.version + 1 if remembered else 1,
        at=now,
        memory=suggested.memory,
    )
    closing = replace(closing, baseline=baseline, suggestion=suggested.text)
    return replace(closing, **{f.name: getattr(changes, f.name) for f in fields(changes)})


def _end_of_nodata(check: CheckRecord, background: Background) -> tuple[Verdict, ...]:
    """A valid check ends what was told because none came. Said only then: it is no good verdict on the assistant."""
    known = background.alerts.get(overall_scope(check.suite))
    is_told = known is not None and any(breach.rule == nodata.NAME for breach in known.state.breaches)
    return (nodata.recovered(check.suite),) if is_told and check.status is not CheckStatus.INCONCLUSIVE else ()


def _status(summary: CheckSummary, verdicts: Sequence[Verdict], rules: RulesPolicy) -> tuple[CheckStatus, str]:
    """What one check says by itself, and why."""
    if rules.mean:
        return status_of(summary, rules.mean)
    if summary.mean is None or summary.valid_share < rules.valid_share:
        return CheckStatus.INCONCLUSIVE, too_few(summary, rules.valid_share)
    overall = [verdict for verdict in verdicts if verdict.scope.endswith(f"/{OVERALL}")]
    breach = next((verdict for verdict in overall if verdict.finding is Finding.BREACH), None)
    if breach is not None:
        return CheckStatus.DEGRADED, breach.reason
    return CheckStatus.HEALTHY, f"average {summary.mean:.2f}"


def _alert_changes(
    ended: Ended,
    verdicts: Sequence[Verdict],
    background: Background,
    policy_of: Callable[[str], AlertPolicy],
    surroundings: Surroundings,
    now: datetime,
    *,
    unwatched: AbstractSet[str],
) -> AlertChanges:
    """Every scope stepped by what was said of it, the whole suite first: beside its incident none opens that is no more
    severe. What was told of an intent that can be watched no more is closed.
    """
    overall = overall_scope(ended.check.suite)
    heard = {verdict.scope for verdict in verdicts} | (unwatched & background.alerts.keys())
    scopes = sorted(heard, key=lambda scope: (scope != overall, scope))
    changed: list[AlertChanges] = []
    suite = AlertState(scope=overall)
    for scope in scopes:
        known = background.alerts.get(scope) or Known(state=AlertState(scope=scope))
        said: list[Event] = [verdict for verdict in verdicts if verdict.scope == scope]
        if scope in unwatched:
            said.append(NOT_WATCHED)
        allowed = replace(
            policy_of(scope),
            windows=windows_of(scope, background.silences),
            inhibited_by=inhibitor(suite, said),
        )
        changes = changes_of(said, known, allowed, surroundings, now, ended=ended, told=background.told)
        if scope == overall:
            suite = changes.states[0] if changes.states else known.state
        changed.append(changes)
    return joined(changed)


def inhibitor(suite: AlertState, said: Sequence[Event]) -> str | None:
    """The open incident of the whole suite that keeps what is said of an intent from opening one: none keeps what is
    more severe than itself.
    """
    if suite.phase is not Phase.FIRING or suite.severity is None:
        return None
    breaches = [event for event in said if isinstance(event, Verdict) and event.finding is Finding.BREACH]
    is_topped = any(breach.severity.rank > suite.severity.rank for breach in breaches)
    return None if is_topped else suite.scope


def removals(state: AlertState, rules: RulesPolicy | None) -> list[RuleRemoved]:
    """What the configuration no longer watches of an alert: the rules that are off, or the scope (`rules` None)."""
    if rules is None:
        return [RuleRemoved()]
    return [RuleRemoved(rule=breach.rule) for breach in state.breaches if breach.rule in rules.off]


def changes_of(
    events: Sequence[Event],
    known: Known,
    policy: AlertPolicy,
    surroundings: Surroundings,
    now: datetime,
    *,
    ended: Ended | None = None,
    told: Told | None = None,
) -> AlertChanges:
    """What events change in one alert; nothing when the machine stays where it is."""
    scope, version = known.state.scope, known.state.version
    incident_id = uuid5(NAMESPACE_OID, f"{scope}/{version}/{now.isoformat()}").hex
    state, effects = steps(known.state, events, policy, now, incident_id)
    if state == known.state:
        return AlertChanges()
    key = f"{surroundings.app}:{surroundings.environment}:{scope}"
    check_id = ended.check.id if ended else None
    incidents = _Incidents(known.incident, scope, key, check_id, now)
    briefing = Briefing(surroundings=surroundings, now=now, ended=ended, before=told)
    drafts: list[NotificationDraft] = []
    for effect in effects:
        incident = incidents.after(effect)
        if isinstance(effect, Notify) and incident is not None:
            alert = briefing.alert(effect, incident, acked_by=state.acked_by)
            drafts.append(
                NotificationDraft(
                    incident_id=effect.incident_id,
                    scope=scope,
                    channel=effect.channel,
                    kind=effect.kind,
                    dedup_key=incident.dedup_key,
                    alert=alert,
                    at=now,
                )
            )
    return incidents.changes(state, drafts)


class _Incidents:
    """The incident of a scope as effects open, change and close it."""

    def __init__(self, incident: Incident | None, scope: str, key: str, check_id: str | None, now: datetime) -> None:
        self._current = incident
        self._scope, self._key, self._check_id, self._now = scope, key, check_id, now
        self._rows: dict[str, dict[str, Incident]] = {"opened": {}, "updated": {}, "closed": {}}

    def after(self, effect: Effect) -> Incident | None:
        """The incident after the effect; None where there is none."""
        match effect:
            case OpenIncident():
                self._current = self._put("opened", self._opened(effect))
            case UpdateIncident() if self._current:
                changed = replace(
                    self._current, severity=effect.severity, acked_by=effect.acked_by, acked_until=effect.acked_until
                )
                if effect.rule is not None:
                    changed = replace(changed, rule=effect.rule, reason=effect.reason or "")
                self._current = self._put("opened" if changed.id in self._rows["opened"] else "updated", changed)
            case CloseIncident() if self._current:
                closed = replace(
                    self._current, closed_at=self._now, closed_by_check=self._check_id, close_reason=effect.reason
                )
                self._current = self._put("closed", closed)
        return self._current

    def changes(self, state: AlertState, drafts: Sequence[NotificationDraft]) -> AlertChanges:
        """All of it."""
        opened, updated, closed = (tuple(found.values()) for found in self._rows.values())
        return AlertChanges(states=(state,), opened=opened, updated=updated, closed=closed, notifications=tuple(drafts))

    def _put(self, kind: str, incident: Incident) -> Incident:
        self._rows[kind][incident.id] = incident
        return incident

    def _opened(self, effect: OpenIncident) -> Incident:
        return Incident(
            id=effect.incident_id,
            scope=self._scope,
            dedup_key=self._key,
            rule=effect.rule,
            severity=effect.severity,
            opened_at=self._now,
            opened_by_check=self._check_id,
            reason=effect.reason,
        )
