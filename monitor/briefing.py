"""What a message tells of an incident: how things stand, what is worst, what was before. Pure; knows no channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.calibration import Standing
from monitor.canary import CanaryState
from monitor.check import CheckRecord, CheckSummary, Conversation, Slot
from monitor.incident import Alert, Incident, WorstConversation, WorstIntent
from monitor.machine import NotificationKind, Notify
from monitor.rules import availability, monitor, nodata
from monitor.rules.decide import Shift
from monitor.rules.evidence import Evidence
from monitor.score import Score
from monitor.text import printable
from monitor.verdict import OVERALL

Z95 = 1.96
NAMED_INTENTS = 5
NAMED_CONVERSATIONS = 3
SUMMARY_CHARACTERS = 200
MEASURED = (
    "average",
    "threshold",
    "success_rate",
    "check_id",
    "epoch",
    "judge",
    "canaries",
    "interval",
    "drop",
    "onset_at",
    "error_share",
    "error_share_before",
    "latency_seconds",
    "latency_seconds_before",
)
WORST = ("worst_intents", "worst_conversations")
SHOWS_WORST = frozenset({NotificationKind.OPEN, NotificationKind.UPDATE, NotificationKind.REMINDER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What names this monitor to the world: parts of the dedup key, and where its pages are (None: nowhere)."""

    app: str
    environment: str
    base_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A check whose conversations are all in. `shifts`, by scope: how far what is in breach fell, and since when."""

    check: CheckRecord
    conversations: Sequence[Conversation]
    summary: CheckSummary
    evidence: Evidence
    threshold: float | None = None
    slot: Slot | None = None
    shifts: Mapping[str, Shift] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What messages tell besides a check.

    `summary` is of the last healthy check; `judge`: what is known of the judge (None: there is none); `canaries`: what
    they say of the monitor (None: off).
    """

    summary: CheckSummary | None = None
    judge: Standing | None = None
    canaries: CanaryState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefing:
    """What there is to tell at a moment: by a check that ended (None: nothing was heard), and from before it."""

    surroundings: Surroundings
    now: datetime
    ended: Ended | None = None
    before: Told | None = None

    def alert(self, effect: Notify, incident: Incident, *, acked_by: str | None) -> Alert:
        """What a message tells: how things stand now, and for an open the worst of what was heard."""
        return _alert(effect, incident, self, acked_by)


def with_evidence(alert: Alert, known: Alert, kind: NotificationKind) -> Alert:
    """The alert of a message that no check made, with what is known of its incident by another."""
    carried = (*MEASURED, *WORST) if kind in SHOWS_WORST else MEASURED
    return replace(alert, **{name: getattr(known, name) for name in carried})


def _alert(effect: Notify, incident: Incident, briefing: Briefing, acked_by: str | None) -> Alert:
    ended, before, surroundings = briefing.ended, briefing.before or Told(), briefing.surroundings
    suite, _, of = incident.scope.rpartition("/")
    is_end = effect.kind in (NotificationKind.RESOLVE, NotificationKind.INFO)
    is_open = effect.kind in (NotificationKind.OPEN, NotificationKind.UPDATE)
    summary = ended.summary if ended else None
    intent_id = None if of == OVERALL else of
    shift = ended.shifts.get(incident.scope) if ended else None
    return Alert(
        app=surroundings.app,
        environment=surroundings.environment,
        suite=suite,
        scope=incident.scope,
        rule=incident.rule,
        severity=effect.severity,
        dedup_key=incident.dedup_key,
        incident_id=incident.id,
        title=_whole_title(incident, suite, intent_id, is_end=is_end, is_checked=ended is not None),
        reason=incident.close_reason if is_end else incident.reason,
        average=_average(summary, intent_id) if summary else None,
        threshold=ended.threshold if ended else None,
        success_rate=summary.success_rate if summary else None,
        check_id=ended.check.id if ended else None,
        epoch=ended.check.epoch if ended else None,
        opened_at=incident.opened_at,
        at=briefing.now,
        worst_intents=_worst_intents(summary, before.summary, intent_id) if summary and is_open else (),
        worst_conversations=_worst_conversations(ended.conversations, intent_id) if ended and is_open else (),
        base_url=surroundings.base_url,
        judge=before.judge,
        canaries=before.canaries,
        acked_by=acked_by,
        interval=_interval(summary) if summary and intent_id is None else None,
        drop=shift.drop if shift else None,
        onset_at=shift.since if shift else None,
        error_share=_error_share(summary) if summary else None,
        error_share_before=_error_share(before.summary) if summary and before.summary else None,
        latency_seconds=summary.latency_seconds if summary else None,
        latency_seconds_before=before.summary.latency_seconds if summary and before.summary else None,
    )


def _whole_title(incident: Incident, suite: str, intent_id: str | None, *, is_end: bool, is_checked: bool) -> str:
    if monitor.is_own(incident.scope):
        part = monitor.called(incident.scope)
        return f"the monitor is well again: {part}" if is_end else f"the monitor, not the assistant, is sick: {part}"
    return f"{suite}: {_title(incident.rule, intent_id, is_end=is_end, is_checked=is_checked)}"


def _title(rule: str, intent_id: str | None, *, is_end: bool, is_checked: bool) -> str:
    if is_end and not is_checked:
        return f"{_title(rule, intent_id, is_end=False, is_checked=False)} (closed)"
    if rule == nodata.NAME:
        return "checks say something again" if is_end else "nobody watches the assistant"
    if rule == availability.NAME:
        return "the assistant answers again" if is_end else "the assistant does not answer"
    if intent_id is not None:
        return f"{intent_id} passes again" if is_end else f"{intent_id} passes less often"
    return "answers are good again" if is_end else "answers got worse"


def _interval(summary: CheckSummary) -> tuple[float, float] | None:
    """The average at 95 %, for these intents; None where it was not measured."""
    if summary.mean is None or summary.standard_error is None:
        return None
    margin = Z95 * summary.standard_error
    return max(0.0, summary.mean - margin), min(1.0, summary.mean + margin)


def _error_share(summary: CheckSummary) -> float | None:
    """Of the conversations that say something, those that the assistant failed to hold."""
    return summary.error_count / summary.valid if summary.valid else None


def _average(summary: CheckSummary, intent_id: str | None) -> float | None:
    if intent_id is None:
        return summary.mean
    return next((intent.mean for intent in summary.intents if intent.intent_id == intent_id), None)


def _worst_intents(summary: CheckSummary, before: CheckSummary | None, only: str | None) -> tuple[WorstIntent, ...]:
    """The lowest ones (or the `only` one), each with its mean before if it is the same intent still."""
    means = before.means_of_same(summary) if before else {}
    wanted = [intent for intent in summary.intents if only in (None, intent.intent_id)]
    measured = [(intent.mean, intent.intent_id) for intent in wanted if intent.mean is not None]
    worst = sorted(measured)[:NAMED_INTENTS]
    return tuple(WorstIntent(intent_id=id_, mean=mean, before=means.get(id_)) for mean, id_ in worst)


def _worst_conversations(conversations: Sequence[Conversation], only: str | None) -> tuple[WorstConversation, ...]:
    """The lowest ones, at most one of each intent, or those of the `only` one."""
    measured = [(c.value, c.intent_id, c) for c in conversations if c.value is not None]
    lowest: dict[str, WorstConversation] = {}
    for value, intent_id, conversation in sorted(measured, key=lambda entry: entry[:2]):
        if only in (None, intent_id):
            worst = WorstConversation(
                id=conversation.id, intent_id=intent_id, value=value, summary=_in_short(conversation)
            )
            lowest.setdefault(intent_id if only is None else conversation.id, worst)
    return tuple(lowest.values())[:NAMED_CONVERSATIONS]


def _in_short(conversation: Conversation) -> str:
    """Why the conversation is worth no more: how it failed, or the items that did."""
    transcript, score = conversation.transcript, conversation.score
    if score.value is None:
        return printable(f"{transcript.outcome}: {transcript.detail or transcript.end}", SUMMARY_CHARACTERS)
    return printable("; ".join(_failures(score)) or "every item holds", SUMMARY_CHARACTERS)


def _failures(score: Score) -> list[str]:
    return [f"{item.id}: {item.reason}" for item in score.items if item.passed is False]
