"""Everything that a report tells of a check, read from the store in one go."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.calibration import Standing, standing
from monitor.canary import CanaryRun, CanaryState, state_of
from monitor.check import CheckRecord, CheckStatus, Conversation, IntentSummary, Trigger, counted
from monitor.check_report.changes import Difference, Sample, difference, sample_of, surely_moved, together, widest
from monitor.check_report.excerpts import CONVERSATIONS, worst
from monitor.check_report.report import Baselined, CheckReport, Compared, IntentReport
from monitor.rules import quality
from monitor.rules.memory import IntentMemory, Memory
from monitor.rules.policy import BaselinePolicy
from monitor.stats import variance_of_sums
from monitor.store import CheckPoint, Store, point_of
from monitor.transcript import Fault, Outcome
from monitor.verdict import OVERALL, Verdict

TREND_CHECKS = 30
_VALID = (CheckStatus.HEALTHY, CheckStatus.DEGRADED)
_OF_AVERAGE = (quality.NAME, "mean")
"""The rules that hold the average against the threshold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the database does not know.

    `threshold` is that of the suite now (None: the suite is gone), `base_url` where the pages are (None: nowhere),
    `canary_seconds` how often canaries are scored (None: never), `calibration_days` how long labels vouch for a judge.
    """

    made_at: datetime
    threshold: float | None = None
    base_url: str | None = None
    canary_seconds: float | None = None
    calibration_days: int = 90
    baseline: BaselinePolicy = field(default_factory=BaselinePolicy)


def gather(
    store: Store, check: CheckRecord, now: Circumstances, *, most_conversations: int = CONVERSATIONS
) -> CheckReport:
    """The report of a check in whatever state it is. Blocks while the store is read. Raises StoreFailure."""
    conversations = counted(store.conversations(check.id))
    verdicts = store.verdicts(check.id)
    intents = _intents(check, conversations)
    before = _before(store, check) if check.summary else None
    conversations_before = counted(store.conversations(before.id)) if before else []
    changes = _changes(intents, before, conversations_before)
    known = _Known.of(store, check, now.baseline)
    canaries = store.canary_run(check.epoch)
    return CheckReport(
        check=check,
        made_at=now.made_at,
        intents=tuple(sorted(_beside(intents, changes, known), key=_worst_first)),
        outcomes=_outcomes(check, conversations),
        conversations=tuple(conversations),
        worst=worst(conversations, most=most_conversations),
        verdicts=tuple(verdicts),
        threshold=_threshold(verdicts, now.threshold),
        compared=_compared(before, intents, changes, known.spread) if before else None,
        not_compared="" if before else _why_not_compared(check),
        baseline=_baselined(intents, known),
        trend=_trend(store, check),
        canaries=canaries,
        canary_state=_canary_state(canaries, check, now),
        judge=_judge(store, check, now),
        base_url=now.base_url,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The baselines that are armed, by fingerprint, and how far the average wobbles between checks beyond chance."""

    intents: Mapping[str, IntentMemory]
    spread: float

    @classmethod
    def of(cls, store: Store, check: CheckRecord, policy: BaselinePolicy) -> _Known:
        remembered = store.baseline(check.suite, check.epoch)
        memory = remembered.memory if remembered else Memory()
        armed = {f: one for f, one in memory.intents.items() if one.checks >= policy.armed and one.sums.count}
        return cls(intents=armed, spread=math.sqrt(memory.tau_squared(policy)))


def _beside(
    intents: Sequence[IntentReport], changes: Mapping[str, Difference], known: _Known
) -> Iterator[IntentReport]:
    """The intents with what they are held against."""
    sure = surely_moved(changes)
    for intent in intents:
        change = changes.get(intent.intent_id)
        memory = known.intents.get(intent.fingerprint)
        yield replace(
            intent,
            change=replace(change, is_sure=intent.intent_id in sure) if change else None,
            baseline=memory.sums.mean if memory else None,
        )


def _canary_state(run: CanaryRun | None, check: CheckRecord, now: Circumstances) -> CanaryState | None:
    if now.canary_seconds is None:
        return None
    return state_of(run, check.epoch, check.finished_at or now.made_at, every_seconds=now.canary_seconds)


def _judge(store: Store, check: CheckRecord, now: Circumstances) -> Standing | None:
    if not store.is_judged(check.id):
        return None
    return standing(store.calibration(check.epoch), check.epoch, now.made_at, days=now.calibration_days)


def _before(store: Store, check: CheckRecord) -> CheckRecord | None:
    """The last healthy check before it, or else the last one that says something, of the same suite and epoch."""
    for statuses in ((CheckStatus.HEALTHY,), _VALID):
        wanted = store.checks(check.suite, limit=1, statuses=statuses, before=check.started_at, epoch=check.epoch)
        found = [one for one in wanted if one.summary is not None]
        if found:
            return found[0]
    return None


def _why_not_compared(check: CheckRecord) -> str:
    if check.summary is None:
        return f"the check has no average to compare: it is {check.status}"
    return f"no earlier check of this suite under epoch {check.epoch or 'unknown'} says something about the assistant"


def _intents(check: CheckRecord, conversations: Sequence[Conversation]) -> list[IntentReport]:
    """By the summary; where there is none, by what is stored so far."""
    by_intent: dict[str, list[Conversation]] = {}
    for conversation in conversations:
        by_intent.setdefault(conversation.intent_id, []).append(conversation)
    summary = check.summary
    if summary is None:
        return [_intent_so_far(intent_id, played) for intent_id, played in by_intent.items()]
    return [_intent(known, by_intent.get(known.intent_id, []), summary.rounds) for known in summary.intents]


def _intent(known: IntentSummary, played: Sequence[Conversation], rounds: int | None) -> IntentReport:
    return IntentReport(
        intent_id=known.intent_id,
        fingerprint=known.fingerprint,
        sample=_sample(known, played, rounds),
        valid=known.valid,
        passed=known.passed,
        errors=_errors(played),
        kept=len(played),
        weight=known.weight,
        critical=known.critical,
        planned=known.planned,
        duration_seconds=_duration(played),
    )


def _intent_so_far(intent_id: str, played: Sequence[Conversation]) -> IntentReport:
    valid = [c for c in played if c.is_valid]
    return IntentReport(
        intent_id=intent_id,
        fingerprint=played[0].fingerprint,
        sample=sample_of([c.value for c in valid if c.value is not None]),
        valid=len(valid),
        passed=sum(1 for c in valid if c.score.passed),
        errors=_errors(played),
        kept=len(played),
        duration_seconds=_duration(played),
    )


def _sample(known: IntentSummary, played: Sequence[Conversation], rounds: int | None) -> Sample | None:
    """The mean that was stored, with the error that its single values show; all of them must still be there."""
    if known.mean is None:
        return None
    valid = [c for c in played if c.is_valid]
    common = [c.value for c in valid if c.value is not None and (rounds is None or c.round < rounds)]
    shown = sample_of(common) if len(valid) == known.valid else None
    if shown is None:
        return widest(known.mean, known.valid if rounds is None else min(known.valid, rounds))
    return replace(shown, mean=known.mean)


def _changes(
    intents: Sequence[IntentReport], before: CheckRecord | None, conversations_before: Sequence[Conversation]
) -> dict[str, Difference]:
    """By intent, of those that both played unchanged."""
    if before is None:
        return {}
    earlier = {intent.intent_id: intent for intent in _intents(before, conversations_before)}
    changes = {}
    for intent in intents:
        old = earlier.get(intent.intent_id)
        is_same = old is not None and intent.fingerprint != "" and old.fingerprint == intent.fingerprint
        if is_same and old is not None and old.sample and intent.sample:
            changes[intent.intent_id] = difference(intent.sample, old.sample)
    return changes


def _compared(
    before: CheckRecord,
    intents: Sequence[IntentReport],
    changes: Mapping[str, Difference],
    spread: float,
) -> Compared:
    old = {intent.intent_id: intent.fingerprint for intent in before.summary.intents} if before.summary else {}
    new = {intent.intent_id: intent.fingerprint for intent in intents}
    both = [name for name in new if name in old]
    parts = [(i.weight, changes[i.intent_id]) for i in intents if i.weight is not None and i.intent_id in changes]
    return Compared(
        before=before,
        difference=together(parts, spread=spread),
        added=tuple(sorted(new.keys() - old.keys())),
        gone=tuple(sorted(old.keys() - new.keys())),
        edited=tuple(sorted(name for name in both if old[name] and new[name] and old[name] != new[name])),
        is_unknown=any(not old[name] or not new[name] for name in both),
    )


def _baselined(intents: Sequence[IntentReport], known: _Known) -> Baselined | None:
    parts, checks = [], []
    for intent in intents:
        memory = known.intents.get(intent.fingerprint)
        if memory is None or intent.sample is None or intent.weight is None:
            continue
        sums = memory.sums
        error = math.sqrt(variance_of_sums(sums.count, sums.total, sums.squares) / sums.count)
        parts.append((intent.weight, difference(intent.sample, Sample(mean=sums.mean, error=error))))
        checks.append(memory.checks)
    whole = together(parts, spread=known.spread)
    return Baselined(checks=min(checks), difference=whole) if whole else None


def _threshold(verdicts: Sequence[Verdict], now: float | None) -> float | None:
    """What the average was held against at the time, if that was stored; or else what it is held against now."""
    of_average = [v for v in verdicts if v.rule in _OF_AVERAGE and v.scope.endswith(f"/{OVERALL}")]
    return next((v.threshold for v in of_average if v.threshold is not None), now)


def _outcomes(check: CheckRecord, conversations: Sequence[Conversation]) -> dict[Outcome, int]:
    """In the order in which outcomes are listed everywhere."""
    counts: Mapping[Outcome, int] = check.summary.outcomes if check.summary else {}
    if check.summary is None:
        found = [c.transcript.outcome for c in conversations]
        counts = {outcome: found.count(outcome) for outcome in Outcome}
    return {outcome: counts[outcome] for outcome in Outcome if counts.get(outcome)}


def _trend(store: Store, check: CheckRecord) -> tuple[CheckPoint, ...]:
    """The averages of the same epoch up to this check, oldest first; those made by hand only beside one by hand."""
    is_manual = check.trigger is Trigger.MANUAL
    earlier = store.history(check.suite, limit=TREND_CHECKS - 1, before=check.id, alerting_only=not is_manual)
    points = [point_of(check), *earlier]
    return tuple(reversed([point for point in points if point.epoch == check.epoch and point.mean is not None]))


def _errors(played: Sequence[Conversation]) -> int:
    return sum(1 for c in played if c.transcript.outcome.fault is Fault.ASSISTANT)


def _duration(played: Sequence[Conversation]) -> float | None:
    return math.fsum(c.transcript.duration_seconds for c in played) if played else None


def _worst_first(intent: IntentReport) -> tuple[bool, float, str]:
    return intent.mean is None, intent.mean or 0.0, intent.intent_id
