"""Suites, checks and intents as the API tells them."""

from __future__ import annotations

from enum import StrEnum

from monitor.canary import AlarmRule
from monitor.check import CheckStatus, Purpose, Trigger
from monitor.fidelity import Fidelity
from monitor.transcript import Outcome
from monitor.verdict import Finding, Severity
from monitor.web.answers.alerts import IncidentAnswer
from monitor.web.answers.answer import Answer
from monitor.web.cursors import PlaceCursor
from monitor.web.moments import Moment


class GroupAnswer(Answer):
    """Some of the scored conversations of a check."""

    conversations: int
    mean: float | None


class SummaryAnswer(Answer):
    """The numbers of one check, those of its intents aside; null: not measured. README "Scoring" defines them."""

    planned: int
    valid: int
    valid_share: float
    error_count: int
    mean: float | None
    mean_scored: float | None
    standard_error: float | None
    clustered_error: float | None
    success_rate: float | None
    average_turns: float | None
    latency_seconds: float | None
    outcomes: dict[Outcome, int]
    rounds: int | None
    in_spec: GroupAnswer | None
    out_of_spec: GroupAnswer | None


class CheckAnswer(Answer):
    """One check. `summary` is null while it runs, and where it was lost; `assistant` where it was stored before it was
    kept.
    """

    id: str
    suite: str
    trigger: Trigger
    purpose: Purpose
    assistant: str | None
    status: CheckStatus
    epoch: str
    seed: int
    started_at: Moment
    finished_at: Moment | None
    slot_at: Moment | None
    duration_seconds: float | None
    planned: int
    reason: str
    summary: SummaryAnswer | None


class ChecksAnswer(Answer):
    """One part of the checks, newest first."""

    checks: list[CheckAnswer]
    next: PlaceCursor | None


class CheckedIntentAnswer(Answer):
    """The conversations of one intent in one check."""

    intent_id: str
    weight: float
    critical: bool
    mean: float | None
    planned: int
    valid: int
    passed: int
    fingerprint: str


class VerdictAnswer(Answer):
    """What a check said about one scope under one rule."""

    scope: str
    rule: str
    finding: Finding
    severity: Severity
    reason: str
    value: float | None
    threshold: float | None


class WholeCheckAnswer(CheckAnswer):
    """One check with its intents and what it said. `fidelity` null: no model played a user."""

    is_judged: bool
    fidelity: Fidelity | None
    intents: list[CheckedIntentAnswer]
    verdicts: list[VerdictAnswer]


class SuiteStatus(StrEnum):
    """How a suite stands: as its newest check that ended found it, unless there is none, it is too old, or the suite
    is switched off.
    """

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    INCONCLUSIVE = "inconclusive"
    STALE = "stale"
    PAUSED = "paused"
    UNKNOWN = "unknown"


class SuiteAnswer(Answer):
    """One suite. `last` is its newest check, `last_valid` the newest one that said something about the assistant,
    `verdicts` what that one said; `next_at` null: it runs by command only. It stands so since `since`, or `is_longer`;
    null: not known.
    """

    suite: str
    status: SuiteStatus
    reasons: list[str]
    since: Moment | None
    is_longer: bool
    threshold: float
    is_paused: bool
    is_running: bool
    stale_after_seconds: float | None
    watched_since: Moment | None
    next_at: Moment | None
    last: CheckAnswer | None
    last_valid: CheckAnswer | None
    verdicts: list[VerdictAnswer]
    incidents: list[IncidentAnswer]


class SuitesAnswer(Answer):
    """All suites of the configuration, as they stood at `taken_at`."""

    taken_at: Moment
    suites: list[SuiteAnswer]


class IntentPointAnswer(Answer):
    """One intent in one check."""

    check_id: str
    started_at: Moment
    epoch: str
    fingerprint: str
    mean: float | None
    valid: int
    passed: int


class IntentAnswer(CheckedIntentAnswer):
    """One intent in the newest check that measured anything, and in the checks before it, newest first."""

    history: list[IntentPointAnswer]


class IntentsAnswer(Answer):
    """The intents of a suite's newest check that measured anything (null: there is none), worst first."""

    suite: str
    check_id: str | None
    epoch: str | None
    intents: list[IntentAnswer]


class AlarmAnswer(Answer):
    """One reason to call the monitor sick."""

    rule: AlarmRule
    reason: str
    ids: list[str]


class CanaryAnswer(Answer):
    """One canary's score; null: it could not be scored, and `reason` says why."""

    id: str
    kind: str
    is_good: bool
    value: float | None
    passed: bool | None
    reason: str


class CanaryRunAnswer(Answer):
    """All canaries scored once."""

    id: str
    at: Moment
    epoch: str
    fingerprint: str
    scored: int
    not_scored: int
    auc: float | None
    mean_good: float | None
    mean_bad: float | None
    flips: int | None
    is_sick: bool
    reason: str
    alarms: list[AlarmAnswer]
    results: list[CanaryAnswer]


class CanariesAnswer(Answer):
    """The newest run of the canaries; null: they were never scored."""

    run: CanaryRunAnswer | None
