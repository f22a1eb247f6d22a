"""One run of a suite: its record, its conversations, and the numbers that are made from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from statistics import median

from monitor.canary import CanaryRun
from monitor.fidelity import Fidelity, measure
from monitor.intent import Intent
from monitor.score import Score, UserValidity
from monitor.stats import clustered_standard_error, stratified_standard_error
from monitor.transcript import Fault, Outcome, Transcript
from monitor.verdict import Verdict


class CheckStatus(StrEnum):
    """Where a check stands. Only HEALTHY and DEGRADED say something about the assistant."""

    RUNNING = "running"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    INCONCLUSIVE = "inconclusive"
    CANCELLED = "cancelled"
    ABORTED = "aborted"


class Purpose(StrEnum):
    """What a check was made for. Only those that WATCH are part of a suite's course; the others stand by themselves."""

    WATCH = "watch"
    COMPARE = "compare"
    EXPLORE = "explore"
    GENERATE = "generate"


class Trigger(StrEnum):
    """Who asked for a check. Only SCHEDULE takes a slot; MANUAL stores without alerting."""

    SCHEDULE = "schedule"
    ALERTING = "alerting"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One time at which a suite is due. `version` fences off an owner whose lease has run out."""

    suite: str
    at: datetime
    owner: str
    version: int
    lease_until: datetime
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One intent played once: the transcript and, when there is one, its score.

    `epoch` is what the score was made under; `validity` None: whether the user was a fair one was not asked.
    `user` names who played the user, in a suite that mixes several; None: the only one there was.
    """

    id: str
    check_id: str
    intent_id: str
    fingerprint: str
    persona: str | None
    round: int
    attempt: int
    seed: int
    epoch: str
    transcript: Transcript
    score: Score
    validity: UserValidity | None = None
    user: str | None = None

    @property
    def value(self) -> float | None:
        """What counts in the thresholded mean: 0 for the assistant's errors, None where it says nothing."""
        return 0.0 if self.transcript.outcome.fault is Fault.ASSISTANT else self.score.value

    @property
    def is_valid(self) -> bool:
        """Whether the conversation says something about the assistant: a score, or an error of its own."""
        return self.value is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """A stored conversation scored again, under `epoch` and by the intent with this `fingerprint`."""

    id: str
    conversation_id: str
    epoch: str
    fingerprint: str
    at: datetime
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentSummary:
    """The conversations of one intent in one check. Means are None where nothing was measured.

    `fingerprint` is the intent's; empty in checks that were stored before it was kept.
    """

    intent_id: str
    weight: float
    critical: bool
    mean: float | None
    planned: int
    valid: int
    passed: int
    fingerprint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some of the scored conversations of a check: how many, and the weighted mean of their intents' means."""

    conversations: int
    mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSummary:
    """The numbers of one check.

    `mean` counts the assistant's errors as 0, `mean_scored` leaves them out; both are weighted means of intent means
    over the intents with a valid conversation. `success_rate` is the share of valid conversations that passed.
    `standard_error` is that of `mean`, for these intents: how far it would move if the same check were run again.
    `clustered_error` is that of `mean` as a claim about all that users want, of which these intents are a sample (None:
    fewer than two intents). `latency_seconds` is the median of the assistant's replies.
    `in_spec` are the conversations whose user kept to its intent, `out_of_spec` those whose user asked for something
    unexpected besides; None where no judge was asked. `fidelity` None: no model played a user.
    `rounds`: how many were played for every intent; None in checks that were stored before it was kept.
    """

    planned: int
    valid: int
    mean: float | None
    mean_scored: float | None
    success_rate: float | None
    average_turns: float | None
    outcomes: Mapping[Outcome, int]
    intents: tuple[IntentSummary, ...]
    standard_error: float | None = None
    in_spec: Group | None = None
    out_of_spec: Group | None = None
    fidelity: Fidelity | None = None
    rounds: int | None = None
    clustered_error: float | None = None
    latency_seconds: float | None = None

    @property
    def valid_share(self) -> float:
        """Valid conversations over planned ones, in [0, 1]."""
        return self.valid / self.planned if self.planned else 0.0

    @property
    def error_count(self) -> int:
        """Conversations that the assistant failed to finish."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.fault is Fault.ASSISTANT)

    def means_of_same(self, other: CheckSummary) -> dict[str, float | None]:
        """The means of the intents that `other` played unchanged, by id."""
        fingerprints = {intent.intent_id: intent.fingerprint for intent in other.intents}
        return {
            intent.intent_id: intent.mean
            for intent in self.intents
            if intent.fingerprint and intent.fingerprint == fingerprints.get(intent.intent_id)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord:
    """One check from its start to its end. `summary` and `finished_at` are None while it runs or when it was lost.

    `assistant` names who was talked to (None: stored before it was kept).
    """

    id: str
    suite: str
    trigger: Trigger
    status: CheckStatus
    epoch: str
    seed: int
    started_at: datetime
    planned: int
    slot_at: datetime | None = None
    finished_at: datetime | None = None
    summary: CheckSummary | None = None
    reason: str = ""
    purpose: Purpose = Purpose.WATCH
    assistant: str | None = None

    @property
    def duration_seconds(self) -> float | None:
        """Wall time of the whole check; None while it runs."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is expected of a suite: a mean of at least `threshold`, and a valid check younger than `stale_after_seconds`
    (None: it is run by command only, or paused). `is_paused`: it is switched off on purpose.
    """

    threshold: float
    stale_after_seconds: float | None = None
    is_paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteSnapshot:
    """What the world is told about one suite: its newest check, its newest one that came to its end, whatever it said,
    and the two newest ones that said something about the assistant, the second only if it is of the first one's epoch.
    `watched_since` is its first slot (None: none yet).
    """

    suite: str
    watched: Watched
    last: CheckRecord | None
    last_ended: CheckRecord | None
    last_valid: CheckRecord | None
    previous_valid: CheckRecord | None = None
    watched_since: datetime | None = None
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that `/metrics` shows, taken from the database in one go after each commit. `canaries` None: they were
    never scored.
    """

    taken_at: datetime
    suites: tuple[SuiteSnapshot, ...]
    checks: Mapping[tuple[str, CheckStatus], int]
    conversations: Mapping[tuple[str, Outcome], int]
    notifications: Mapping[tuple[str, str, str], int]
    incidents_open: Mapping[str, int]
    canaries: CanaryRun | None = None


def counted(conversations: Iterable[Conversation]) -> list[Conversation]:
    """The conversations that count: of several attempts at one intent and round the last one."""
    return list({(c.intent_id, c.round): c for c in sorted(conversations, key=lambda c: c.attempt)}.values())


def summarize(conversations: Sequence[Conversation], intents: Sequence[Intent], rounds: int) -> CheckSummary:
    """The numbers of a check, over the conversations that count.

    `rounds` were played for every intent; means are over these. Some intents may have been played further, because of
    what was heard of them: a mean with these would no longer be that of the suite.
    """
    final = counted(conversations)
    summaries = tuple(_summarize_intent(intent, final, rounds) for intent in intents)
    valid = [c for c in final if c.is_valid]
    common = [c for c in valid if c.round < rounds]
    turns = [len(c.transcript.user_turns) for c in final if c.transcript.outcome is Outcome.COMPLETED]
    scored = [_intent_mean(i, (c for c in common if c.transcript.outcome.fault is Fault.NOBODY)) for i in intents]
    return CheckSummary(
        planned=max(len(final), len(intents) * rounds),
        valid=len(valid),
        mean=_weighted_mean((summary.mean, summary.weight) for summary in summaries),
        mean_scored=_weighted_mean(zip(scored, (i.weight for i in intents), strict=True)),
        success_rate=_mean([float(bool(c.score.passed)) for c in valid]),
        average_turns=_mean([float(count) for count in turns]),
        outcomes=Counter(c.transcript.outcome for c in final),
        intents=summaries,
        standard_error=stratified_standard_error((i.weight, _values(i, common)) for i in intents),
        in_spec=_group(intents, valid, is_in_spec=True),
        out_of_spec=_group(intents, valid, is_in_spec=False),
        fidelity=_fidelity(intents, final),
        rounds=rounds,
        clustered_error=clustered_standard_error([(s.weight, s.mean) for s in summaries if s.mean is not None]),
        latency_seconds=_median_latency(final),
    )


def _median_latency(conversations: Iterable[Conversation]) -> float | None:
    replies = (turn for c in conversations for turn in c.transcript.assistant_turns)
    measured = [turn.latency_seconds for turn in replies if turn.latency_seconds is not None]
    return median(measured) if measured else None


def _group(intents: Sequence[Intent], valid: Sequence[Conversation], *, is_in_spec: bool) -> Group | None:
    """The scored conversations whose users kept, or did not keep, to the intent; None where that was not asked."""
    asked = [c for c in valid if c.validity is not None and c.validity.is_in_spec is not None]
    if not asked:
        return None
    found = [c for c in asked if c.validity is not None and c.validity.is_in_spec is is_in_spec]
    mean = _weighted_mean((_intent_mean(intent, found), intent.weight) for intent in intents)
    return Group(conversations=len(found), mean=mean)


def _fidelity(intents: Sequence[Intent], conversations: Iterable[Conversation]) -> Fidelity | None:
    known = {intent.id: intent for intent in intents}
    return measure((known[c.intent_id], c.transcript) for c in conversations if c.intent_id in known)


def _summarize_intent(intent: Intent, conversations: Iterable[Conversation], rounds: int) -> IntentSummary:
    played = [c for c in conversations if c.intent_id == intent.id]
    valid = [c for c in played if c.is_valid]
    return IntentSummary(
        intent_id=intent.id,
        weight=intent.weight,
        critical=intent.critical,
        mean=_intent_mean(intent, (c for c in valid if c.round < rounds)),
        planned=max(len(played), rounds),
        valid=len(valid),
        passed=sum(1 for c in valid if c.score.passed),
        fingerprint=intent.fingerprint,
    )


def _intent_mean(intent: Intent, conversations: Iterable[Conversation]) -> float | None:
    return _mean(_values(intent, conversations))


def _values(intent: Intent, conversations: Iterable[Conversation]) -> list[float]:
    return [c.value for c in conversations if c.intent_id == intent.id and c.value is not None]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _weighted_mean(pairs: Iterable[tuple[float | None, float]]) -> float | None:
    known = [(value, weight) for value, weight in pairs if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None
