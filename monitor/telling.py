"""Who is told of an open incident, and when: first messages, updates, escalation, reminders.

Pure, and free to say nothing: whether an incident is open is decided elsewhere and never here. A channel is given one
open at most. Ends are no business of this module: they go wherever an open went.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from monitor.machine import AlertPolicy, AlertState, NotificationKind, Notify
from monitor.verdict import Severity

Told = tuple[AlertState, tuple[Notify, ...]]


def messages(state: AlertState, kind: NotificationKind, channels: Iterable[str]) -> tuple[Notify, ...]:
    """One message of that kind about the state's incident for each channel."""
    severity = state.severity or Severity.CRITICAL
    return tuple(
        Notify(incident_id=state.incident_id or "", channel=channel, kind=kind, severity=severity)
        for channel in channels
    )


def tell(state: AlertState, policy: AlertPolicy, now: datetime) -> Told:
    """Tell what the channels do not know yet, unless a window keeps it from them or nothing is in breach any more.

    Channels routed for the severity that were not told get an OPEN; those told of a lower severity get an UPDATE.
    """
    window = policy.window(now)
    state = replace(state, suppressed_by=window.name if window else None)
    if window or not state.breaches or state.severity is None:
        return state, ()
    new = _untold(state, policy.channels(state.severity))
    has_risen = state.told_severity is not None and state.severity.rank > state.told_severity.rank
    if not new and not has_risen:
        return state, ()
    updates = messages(state, NotificationKind.UPDATE, state.channels if has_risen else ())
    told = replace(
        state,
        channels=(*state.channels, *new),
        told_severity=state.severity,
        told_at=state.told_at or now,
        reminded_at=now,
    )
    return told, (*updates, *messages(told, NotificationKind.OPEN, new))


def chase(state: AlertState, policy: AlertPolicy, now: datetime) -> Told:
    """Escalate and remind, where the incident was told, is in breach still, and nobody took it or suppressed it."""
    if state.told_at is None or not state.breaches or state.acked_by is not None or state.suppressed_by is not None:
        return state, ()
    reminded, reminders = _remind(_up_to(state, now), policy, now)
    escalated, opens = _escalate(reminded, policy, now)
    return escalated, (*reminders, *opens)


def _up_to(state: AlertState, now: datetime) -> AlertState:
    """What was told under a clock that was ahead counts as told now: it is waited for anew, and not for years."""
    if state.told_at is None or max(state.told_at, state.reminded_at or now) <= now:
        return state
    reminded_at = min(state.reminded_at, now) if state.reminded_at else None
    return replace(state, told_at=min(state.told_at, now), reminded_at=reminded_at)


def _remind(state: AlertState, policy: AlertPolicy, now: datetime) -> Told:
    heard_at = state.reminded_at or state.told_at
    if state.reminders >= policy.most_reminders or heard_at is None or now - heard_at < policy.remind_every:
        return state, ()
    reminded = replace(state, reminders=state.reminders + 1, reminded_at=now)
    return reminded, messages(state, NotificationKind.REMINDER, state.channels)


def _escalate(state: AlertState, policy: AlertPolicy, now: datetime) -> Told:
    if state.told_at is None:
        return state, ()
    age = now - state.told_at
    steps = sorted(policy.escalations, key=lambda step: step.after)
    # Those taken before are among them: a severity that rose makes steps due that were none of its own.
    due = [step for step in steps if step.after <= age and state.severity in step.severities]
    new = _untold(state, (channel for step in due for channel in step.channels))
    escalated = replace(state, escalated=max(state.escalated, len(due)), channels=(*state.channels, *new))
    return escalated, messages(state, NotificationKind.OPEN, new)


def _untold(state: AlertState, channels: Iterable[str]) -> tuple[str, ...]:
    return tuple(channel for channel in dict.fromkeys(channels) if channel not in state.channels)
