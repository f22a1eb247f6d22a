"""What time does to an incident that was told: reminders and escalation, also where a clock was ahead when it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.machine import AlertPolicy, AlertState, Breach, Escalation, NotificationKind, Phase
from monitor.telling import chase
from monitor.verdict import Severity
from tests.parties import T0

HOUR = timedelta(hours=1)
POLICY = replace(
    AlertPolicy.everywhere("slack"), escalations=(Escalation(after=HOUR, channels=("boss",)),), remind_every=4 * HOUR
)
AHEAD = T0 + timedelta(days=3650)
TOLD = AlertState(
    scope="s/overall",
    phase=Phase.FIRING,
    incident_id="i",
    breaches=(Breach(rule="mean", severity=Severity.CRITICAL, reason="bad", since=AHEAD),),
    severity=Severity.CRITICAL,
    told_severity=Severity.CRITICAL,
    channels=("slack",),
    told_at=AHEAD,
    reminded_at=AHEAD,
)


def test_what_was_told_under_a_clock_that_was_ahead_counts_as_told_now() -> None:
    state, notes = chase(TOLD, POLICY, T0)
    assert notes == ()
    assert (state.told_at, state.reminded_at) == (T0, T0)
    assert chase(state, POLICY, T0 + 0.9 * HOUR) == (state, ())


def test_it_is_escalated_and_reminded_of_in_time_from_then_on() -> None:
    state, _ = chase(TOLD, POLICY, T0)
    state, notes = chase(state, POLICY, T0 + HOUR)
    assert [(note.channel, note.kind) for note in notes] == [("boss", NotificationKind.OPEN)]
    _, notes = chase(state, POLICY, T0 + 4 * HOUR)
    assert {note.kind for note in notes} == {NotificationKind.REMINDER}
