"""The end of a check as one value: its verdict, the step of its alert, the incident and the messages to send.

Pure: what was measured and what is known go in, what one transaction has to write comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import TypeVar

from monitor.alert import step
from monitor.calibration import Standing
from monitor.canary import CanaryState
from monitor.check import CheckRecord, CheckSummary, Conversation, Slot, Trigger
from monitor.incident import (
    Alert,
    AlertPolicy,
    AlertState,
    CloseIncident,
    Effect,
    Event,
    Incident,
    NotificationKind,
    Notify,
    OpenIncident,
    WorstConversation,
    WorstIntent,
)
from monitor.rules import MeanPolicy, judge_mean, status_of
from monitor.score import Score
from monitor.store import AlertChanges, Closing, NotificationDraft
from monitor.text import printable
from monitor.verdict import OVERALL

E = TypeVar("E", OpenIncident, CloseIncident, Notify)
NAMED_INTENTS = 5
NAMED_CONVERSATIONS = 3
SUMMARY_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What names this monitor to the world: parts of the dedup key, and where its pages are (None: nowhere)."""

    app: str
    environment: str
    base_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the alert of one scope stands on when an event comes.

    `earlier`: averages of the conclusive checks before, newest first; `before`: the summary of the last healthy one;
    `judge`: what is known of the judge (None: there is none); `canaries`: what they say of the monitor (None: off).
    """

    state: AlertState
    incident: Incident | None = None
    earlier: Sequence[float] = ()
    before: CheckSummary | None = None
    judge: Standing | None = None
    canaries: CanaryState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A check whose conversations are all in."""

    check: CheckRecord
    conversations: Sequence[Conversation]
    summary: CheckSummary
    threshold: float
    slot: Slot | None = None


def overall_scope(suite: str) -> str:
    """The scope of a suite's average."""
    return f"{suite}/{OVERALL}"


def conclude(
    ended: Ended,
    known: Known,
    rule: MeanPolicy,
    policy: AlertPolicy,
    surroundings: Surroundings,
    *,
    now: datetime,
    new_incident_id: str,
) -> Closing:
    """What the last transaction of a check writes. A manual check only measures and leaves alerts as they are."""
    status, reason = status_of(ended.summary, rule)
    check = replace(ended.check, status=status, reason=reason, finished_at=now, summary=ended.summary)
    verdict = judge_mean(overall_scope(check.suite), ended.summary, known.earlier, rule)
    closing = Closing(check=check, slot=ended.slot, verdicts=(verdict,))
    if check.trigger is Trigger.MANUAL:
        return closing
    changes = changes_of(verdict, known, policy, surroundings, now, new_incident_id, ended=replace(ended, check=check))
    return replace(closing, **{field.name: getattr(changes, field.name) for field in fields(changes)})


def changes_of(
    event: Event,
    known: Known,
    policy: AlertPolicy,
    surroundings: Surroundings,
    now: datetime,
    new_incident_id: str = "",
    *,
    ended: Ended | None = None,
) -> AlertChanges:
    """What an event changes in one alert; nothing when the machine stays where it is."""
    state, effects = step(known.state, event, policy, now, new_incident_id)
    if state == known.state:
        return AlertChanges()
    key = f"{surroundings.app}:{surroundings.environment}:{state.scope}"
    check_id = ended.check.id if ended else None
    opened = tuple(_opened(effect, state.scope, key, check_id, now) for effect in _of(effects, OpenIncident))
    closed = tuple(
        replace(known.incident, closed_at=now, closed_by_check=check_id, close_reason=effect.reason)
        for effect in _of(effects, CloseIncident)
        if known.incident
    )
    drafts = tuple(
        NotificationDraft(
            incident_id=effect.incident_id,
            scope=state.scope,
            channel=effect.channel,
            kind=effect.kind,
            dedup_key=key,
            alert=_alert(effect, incident, known, surroundings, now, ended),
            at=now,
        )
        for incident in (*opened, *closed)
        for effect in _of(effects, Notify)
    )
    return AlertChanges(states=(state,), opened=opened, closed=closed, notifications=drafts)


def _of(effects: Sequence[Effect], kind: type[E]) -> list[E]:
    return [effect for effect in effects if isinstance(effect, kind)]


def _opened(effect: OpenIncident, scope: str, key: str, check_id: str | None, now: datetime) -> Incident:
    return Incident(
        id=effect.incident_id,
        scope=scope,
        dedup_key=key,
        rule=effect.rule,
        severity=effect.severity,
        opened_at=now,
        opened_by_check=check_id,
        reason=effect.reason,
    )


def _alert(
    effect: Notify, incident: Incident, known: Known, surroundings: Surroundings, now: datetime, ended: Ended | None
) -> Alert:
    """What a message tells: how things stand now, and for an open the worst of what was heard."""
    suite = incident.scope.rpartition("/")[0]
    is_open = effect.kind is NotificationKind.OPEN
    summary = ended.summary if ended else None
    state = "answers got worse" if is_open else ("answers are good again" if ended else "no longer watched")
    return Alert(
        app=surroundings.app,
        environment=surroundings.environment,
        suite=suite,
        scope=incident.scope,
        rule=incident.rule,
        severity=effect.severity,
        dedup_key=incident.dedup_key,
        incident_id=incident.id,
        title=f"{suite}: {state}",
        reason=incident.reason if is_open else incident.close_reason,
        average=summary.mean if summary else None,
        threshold=ended.threshold if ended else None,
        success_rate=summary.success_rate if summary else None,
        check_id=ended.check.id if ended else None,
        epoch=ended.check.epoch if ended else None,
        opened_at=incident.opened_at,
        at=now,
        worst_intents=_worst_intents(summary, known.before) if summary and is_open else (),
        worst_conversations=_worst_conversations(ended.conversations) if ended and is_open else (),
        base_url=surroundings.base_url,
        judge=known.judge,
        canaries=known.canaries,
    )


def _worst_intents(summary: CheckSummary, before: CheckSummary | None) -> tuple[WorstIntent, ...]:
    """The lowest ones, each with its mean before if it is the same intent still."""
    means = before.means_of_same(summary) if before else {}
    measured = [(intent.mean, intent.intent_id) for intent in summary.intents if intent.mean is not None]
    worst = sorted(measured)[:NAMED_INTENTS]
    return tuple(WorstIntent(intent_id=id_, mean=mean, before=means.get(id_)) for mean, id_ in worst)


def _worst_conversations(conversations: Sequence[Conversation]) -> tuple[WorstConversation, ...]:
    """The lowest ones, at most one of each intent."""
    measured = [(c.value, c.intent_id, c) for c in conversations if c.value is not None]
    lowest: dict[str, WorstConversation] = {}
    for value, intent_id, conversation in sorted(measured, key=lambda entry: entry[:2]):
        worst = WorstConversation(id=conversation.id, intent_id=intent_id, value=value, summary=_in_short(conversation))
        lowest.setdefault(intent_id, worst)
    return tuple(lowest.values())[:NAMED_CONVERSATIONS]


def _in_short(conversation: Conversation) -> str:
    """Why the conversation is worth no more: how it failed, or the items that did."""
    transcript, score = conversation.transcript, conversation.score
    if score.value is None:
        return printable(f"{transcript.outcome}: {transcript.detail or transcript.end}", SUMMARY_CHARACTERS)
    return printable("; ".join(_failures(score)) or "every item holds", SUMMARY_CHARACTERS)


def _failures(score: Score) -> list[str]:
    return [f"{item.id}: {item.reason}" for item in score.items if item.passed is False]
