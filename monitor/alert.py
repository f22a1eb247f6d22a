"""The alert machine: one scope's state and one event in, the next state and what to do out.

    OK --breach--> FIRING --recovered | rule removed--> RESOLVING --told everywhere--> OK
                     ^---------------breach----------------'

Pure: no clock, no database. A verdict that is UNKNOWN or HOLD changes nothing: absence of evidence is not recovery.
Every channel that was given an open is given its end, whatever the policy says by then.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from monitor.incident import (
    AlertPolicy,
    AlertState,
    CloseIncident,
    Delivered,
    Effect,
    Event,
    NotificationKind,
    Notify,
    OpenIncident,
    Phase,
    RuleRemoved,
)
from monitor.verdict import Finding, Severity, Verdict

Step = tuple[AlertState, tuple[Effect, ...]]


def step(state: AlertState, event: Event, policy: AlertPolicy, now: datetime, new_incident_id: str) -> Step:
    """The next state and its effects. `new_incident_id` is used only if an incident opens.

    A state that comes back equal needs no write; any other has `version` one higher.
    """
    match event:
        case Verdict(finding=Finding.BREACH) if state.phase is not Phase.FIRING:
            return _open(state, event, policy, now, new_incident_id)
        case Verdict(finding=Finding.RECOVERED) if state.phase is Phase.FIRING:
            return _close(state, event.reason, now)
        case RuleRemoved() if state.phase is Phase.FIRING:
            return _close(state, event.reason, now)
        case Delivered() if state.phase is Phase.RESOLVING and event.incident_id == state.incident_id:
            return _told(state, event.channel, now), ()
        case _:
            return state, ()


def _open(state: AlertState, verdict: Verdict, policy: AlertPolicy, now: datetime, incident_id: str) -> Step:
    firing = replace(
        state,
        phase=Phase.FIRING,
        since=now,
        incident_id=incident_id,
        rule=verdict.rule,
        severity=verdict.severity,
        channels=policy.channels,
        unresolved=(),
        version=state.version + 1,
    )
    opened = OpenIncident(incident_id=incident_id, severity=verdict.severity, rule=verdict.rule, reason=verdict.reason)
    return firing, (opened, *_notify(firing, NotificationKind.OPEN))


def _close(state: AlertState, reason: str, now: datetime) -> Step:
    phase = Phase.RESOLVING if state.channels else Phase.OK
    resolving = replace(state, phase=phase, since=now, unresolved=state.channels, version=state.version + 1)
    closed = CloseIncident(incident_id=state.incident_id or "", reason=reason)
    return resolving, (closed, *_notify(resolving, NotificationKind.RESOLVE))


def _told(state: AlertState, channel: str, now: datetime) -> AlertState:
    unresolved = tuple(name for name in state.unresolved if name != channel)
    if unresolved == state.unresolved:
        return state
    if unresolved:
        return replace(state, unresolved=unresolved, version=state.version + 1)
    return AlertState(scope=state.scope, phase=Phase.OK, since=now, version=state.version + 1)


def _notify(state: AlertState, kind: NotificationKind) -> tuple[Notify, ...]:
    severity = state.severity or Severity.CRITICAL
    return tuple(
        Notify(incident_id=state.incident_id or "", channel=channel, kind=kind, severity=severity)
        for channel in state.channels
    )
