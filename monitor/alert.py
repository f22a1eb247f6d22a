"""The alert machine: one scope's state and one event in, the next state and what to do out.

    OK --breach--> FIRING --no breach is left--> RESOLVING --told everywhere--> OK
                     ^-------------breach------------'

Pure: no clock, no database. Several rules may be in breach of one scope; they share its incident. A verdict that is
UNKNOWN or HOLD changes nothing: absence of evidence is not recovery.
Windows, acknowledgements, routes and escalation change who is told of an incident, never whether there is one; every
channel that was given an open is given its end, whatever the policy says by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from monitor.course import Course
from monitor.machine import (
    Ack,
    AlertPolicy,
    AlertState,
    Delivered,
    Effect,
    Event,
    MaintenanceEnded,
    Phase,
    Resolved,
    RuleRemoved,
    Silenced,
    Tick,
)
from monitor.telling import chase
from monitor.verdict import Finding, Verdict

Step = tuple[AlertState, tuple[Effect, ...]]

_ORDER = (Finding.BREACH, Finding.RECOVERED, Finding.HOLD, Finding.UNKNOWN)


def step(state: AlertState, event: Event, policy: AlertPolicy, now: datetime, new_incident_id: str) -> Step:
    """The next state and its effects. `new_incident_id` is used only if an incident opens.

    A state that comes back equal needs no write; any other has `version` one higher.
    """
    return steps(state, (event,), policy, now, new_incident_id)


def steps(state: AlertState, events: Sequence[Event], policy: AlertPolicy, now: datetime, new_incident_id: str) -> Step:
    """Several events of one moment as one step: all verdicts of a check about the scope, say.

    Breaches are heard before recoveries and the loudest first, so that a rule that takes over from another keeps the
    incident open, and one that opens it is told once, at its full severity.
    """
    course = Course(state, policy, now, new_incident_id)
    for event in sorted(events, key=_order):
        _take(course, event)
    _calm_down(course, [event for event in events if isinstance(event, Verdict)])
    after = course.state
    return (state if after == state else replace(after, version=state.version + 1)), tuple(course.effects)


def _order(event: Event) -> tuple[int, int]:
    return (1 + _ORDER.index(event.finding), -event.severity.rank) if isinstance(event, Verdict) else (0, 0)


def _take(course: Course, event: Event) -> None:
    """Move by one event."""
    is_firing = course.state.phase is Phase.FIRING
    match event:
        case Verdict(finding=Finding.BREACH):
            _breach(course, event)
        case Delivered():
            _end_told(course, event)
        case Tick() if is_firing:
            _tick(course)
        case Verdict(finding=Finding.RECOVERED) if is_firing:
            course.remove(event.rule, event.reason, is_held=course.state.is_flapping)
        case RuleRemoved() if is_firing:
            course.remove(event.rule, event.reason, is_held=False)
        case Resolved() if is_firing:
            course.close(f"resolved by {event.by}: {event.reason}" if event.reason else f"resolved by {event.by}")
        case Ack() if is_firing and event.until > course.now:
            course.ack(event)
        case Silenced() | MaintenanceEnded() if is_firing:
            course.tell()
        case _:
            pass


def _breach(course: Course, verdict: Verdict) -> None:
    if course.state.phase is Phase.FIRING:
        course.join(verdict)
    elif course.policy.inhibited_by is None:
        course.open(verdict)
    else:
        return
    course.tell()


def _end_told(course: Course, delivered: Delivered) -> None:
    state = course.state
    if state.phase is not Phase.RESOLVING or delivered.incident_id != state.incident_id:
        return
    unresolved = tuple(channel for channel in state.unresolved if channel != delivered.channel)
    course.state = replace(state, unresolved=unresolved) if unresolved else course.calm_state()


def _tick(course: Course) -> None:
    # Held for its openings, of which too few are late by now: nothing else might ever end it.
    if course.is_held and len(course.late_opens) < course.policy.flapping_opens:
        course.close("nothing is in breach, and it flaps no longer")
        return
    course.tell()
    course.state, told = chase(course.state, course.policy, course.now)
    course.effects += told


def _calm_down(course: Course, verdicts: Sequence[Verdict]) -> None:
    """All verdicts of a step are one towards the calm that ends a flapping incident."""
    good = [verdict for verdict in verdicts if verdict.finding is Finding.RECOVERED]
    if not good or not course.is_held or any(verdict.finding is Finding.BREACH for verdict in verdicts):
        return
    course.state = replace(course.state, calm=course.state.calm + 1)
    if course.is_calm:
        course.close(good[-1].reason)
