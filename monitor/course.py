"""The course of one incident: what opens it, what it goes through, what ends it.

Collects the state as it moves and the effects so far. Knows rules in breach, acknowledgements and flapping; which event
asks for what is not its business, nor, beyond asking, who is told.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from monitor.machine import (
    Ack,
    AlertPolicy,
    AlertState,
    Breach,
    CloseIncident,
    Effect,
    NotificationKind,
    OpenIncident,
    Phase,
    UpdateIncident,
)
from monitor.telling import messages, tell
from monitor.verdict import Severity, Verdict


class Course:
    """The alert of one scope at one moment; methods move it. All but `open` and `is_held` need an open incident."""

    def __init__(self, state: AlertState, policy: AlertPolicy, now: datetime, new_incident_id: str) -> None:
        self.state = state
        self.effects: list[Effect] = []
        self.policy = policy
        self.now = now
        self._new_incident_id = new_incident_id

    @property
    def is_held(self) -> bool:
        """Whether the incident is open only because it flaps."""
        return self.state.phase is Phase.FIRING and self.state.is_flapping and not self.state.breaches

    @property
    def is_calm(self) -> bool:
        """Whether a held incident has heard enough good verdicts to end."""
        return self.is_held and self.state.calm >= self.policy.flapping_calm

    def open(self, verdict: Verdict) -> None:
        """A new incident, by the first rule in breach."""
        opens = self._opens_with_now()
        breach = Breach(rule=verdict.rule, severity=verdict.severity, reason=verdict.reason, since=self.now)
        self.state = AlertState(
            scope=self.state.scope,
            phase=Phase.FIRING,
            since=self.now,
            incident_id=self._new_incident_id,
            severity=verdict.severity,
            breaches=(breach,),
            opens=opens,
            is_flapping=len(opens) >= self.policy.flapping_opens,
            version=self.state.version,
        )
        self.effects.append(
            OpenIncident(
                incident_id=self._new_incident_id,
                severity=verdict.severity,
                rule=verdict.rule,
                reason=verdict.reason,
            )
        )

    def join(self, verdict: Verdict) -> None:
        """The rule joins the open incident, or is still in breach: then its reason is the new one."""
        if self.is_held:
            self.state = replace(self.state, opens=self._opens_with_now())
        before = {breach.rule: breach for breach in self.state.breaches}
        known = before.get(verdict.rule)
        now = Breach(
            rule=verdict.rule,
            severity=_loudest(verdict.severity, known.severity if known else None),
            reason=verdict.reason,
            since=known.since if known else self.now,
        )
        self.state = replace(self.state, calm=0)
        self._change_breaches(tuple((before | {verdict.rule: now}).values()))

    def remove(self, rule: str | None, reason: str, *, is_held: bool) -> None:
        """The rule (None: every one) is in breach no more; the incident ends with the last, unless it is held open."""
        left = tuple(breach for breach in self.state.breaches if rule is not None and breach.rule != rule)
        if not left and not is_held:
            self.close(reason)
        elif left != self.state.breaches:
            self._change_breaches(left)
            self.tell()

    def _change_breaches(self, breaches: tuple[Breach, ...]) -> None:
        before = self.state
        after = replace(before, breaches=breaches)
        lead, led = after.lead, before.lead
        if lead:
            after = replace(after, severity=_loudest(lead.severity, before.severity))
        self.state = after
        if lead and (after.severity is not before.severity or led is None or lead.rule != led.rule):
            self._update()

    def close(self, reason: str) -> None:
        """It is over; every channel that was given the open is told."""
        closed = self.state
        self.effects.append(CloseIncident(incident_id=closed.incident_id or "", reason=reason))
        self.effects += messages(closed, NotificationKind.RESOLVE, closed.channels)
        self.state = replace(self.calm_state(), version=closed.version)
        if closed.channels:
            self.state = replace(
                self.state,
                phase=Phase.RESOLVING,
                incident_id=closed.incident_id,
                severity=closed.severity,
                channels=closed.channels,
                unresolved=closed.channels,
            )

    def calm_state(self) -> AlertState:
        """OK from now on, with what is remembered beyond an incident."""
        return AlertState(
            scope=self.state.scope,
            since=self.now,
            opens=self.state.opens,
            version=self.state.version,
        )

    def ack(self, ack: Ack) -> None:
        """Somebody takes it."""
        acked = replace(self.state, acked_by=ack.by, acked_until=ack.until)
        if acked != self.state:
            self.state = acked
            self._update()
            self.effects += messages(acked, NotificationKind.ACK, acked.channels)

    def tell(self) -> None:
        """Let an acknowledgement lapse, and tell whoever is to be told by now."""
        if self.state.acked_until is not None and self.state.acked_until <= self.now:
            self.state = replace(self.state, acked_by=None, acked_until=None)
            self._update()
        self.state, told = tell(self.state, self.policy, self.now)
        self.effects += told

    def _update(self) -> None:
        state, lead = self.state, self.state.lead
        self.effects.append(
            UpdateIncident(
                incident_id=state.incident_id or "",
                severity=state.severity or Severity.CRITICAL,
                rule=lead.rule if lead else None,
                reason=lead.reason if lead else None,
                acked_by=state.acked_by,
                acked_until=state.acked_until,
            )
        )

    @property
    def late_opens(self) -> tuple[datetime, ...]:
        """The openings that count for flapping."""
        return tuple(at for at in self.state.opens if self.now - at < self.policy.flapping_within)

    def _opens_with_now(self) -> tuple[datetime, ...]:
        return (*self.late_opens, self.now)[-self.policy.flapping_opens :]


def _loudest(severity: Severity, other: Severity | None) -> Severity:
    return max(severity, other or severity, key=lambda one: one.rank)
