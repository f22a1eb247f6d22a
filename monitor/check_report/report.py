"""What is told of one stored check: one frozen value that every format is made from. None: not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.calibration import Standing
from monitor.canary import CanaryRun, CanaryState
from monitor.check import CheckRecord, CheckStatus, CheckSummary, Conversation
from monitor.check_report.changes import Difference, Sample
from monitor.score import PASS_SCORE
from monitor.store import CheckPoint
from monitor.transcript import Fault, Outcome
from monitor.verdict import Finding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentReport:
    """One intent of the check.

    `weight`, `critical` and `planned` are known once a check has ended. `errors` are conversations that the assistant
    failed to hold, counted among those that are `kept`. `change` is against the check before, if it is the same intent
    still; `baseline` the mean that the rules know of it. `duration_seconds` is the time of its kept conversations.
    """

    intent_id: str
    fingerprint: str
    sample: Sample | None
    valid: int
    passed: int
    errors: int
    kept: int
    weight: float | None = None
    critical: bool = False
    planned: int | None = None
    duration_seconds: float | None = None
    change: Difference | None = None
    baseline: float | None = None

    @property
    def mean(self) -> float | None:
        """Its mean over the rounds that every intent was played in."""
        return self.sample.mean if self.sample else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The check beside an earlier one of the same suite and epoch.

    `difference` is over the intents that both played unchanged; None: there is none. `edited` were changed in between,
    `added` and `gone` are played by one of them only; `unknown`: which intents are the same was not stored at the time.
    """

    before: CheckRecord
    difference: Difference | None
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    is_unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Baselined:
    """The check beside the baseline that the rules hold it against; `checks` went into it at least."""

    checks: int
    difference: Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A conversation whose texts are cut to what a report can bear; `left_out` turns of it are not there."""

    conversation: Conversation
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """One check, told whole.

    `threshold` is what its average was held against (None: nothing is known of it).
    `intents` come worst first, `conversations` are those that count and are still kept, `worst` the ones to read.
    `compared` None: `not_compared` says why. `trend` are the checks of the same epoch up to this one, oldest first.
    `canaries` is the newest run under the check's epoch, `canary_state` what it said when the check ended (None: off).
    `judge`: what is known of the judge (None: none took part). `base_url`: where the pages are.
    """

    check: CheckRecord
    made_at: datetime
    intents: tuple[IntentReport, ...]
    outcomes: Mapping[Outcome, int]
    conversations: tuple[Conversation, ...] = ()
    worst: tuple[Excerpt, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    threshold: float | None = None
    compared: Compared | None = None
    not_compared: str = ""
    baseline: Baselined | None = None
    trend: tuple[CheckPoint, ...] = ()
    canaries: CanaryRun | None = None
    canary_state: CanaryState | None = None
    judge: Standing | None = None
    base_url: str | None = None

    @property
    def summary(self) -> CheckSummary | None:
        """The numbers of the check; None while it runs, and where it was lost."""
        return self.check.summary

    @property
    def sample(self) -> Sample | None:
        """The average and its error for these intents; None where one of both was not measured."""
        summary = self.summary
        if summary is None or summary.mean is None or summary.standard_error is None:
            return None
        return Sample(mean=summary.mean, error=summary.standard_error)

    @property
    def is_running(self) -> bool:
        """Whether what is told is not all yet."""
        return self.check.status is CheckStatus.RUNNING

    @property
    def expected(self) -> int:
        """How many conversations counted when the check ended; those that are kept, where it did not end."""
        return sum(self.summary.outcomes.values()) if self.summary else len(self.conversations)

    @property
    def retired(self) -> int:
        """How many conversations are past their retention."""
        return max(0, self.expected - len(self.conversations))

    @property
    def error_count(self) -> int:
        """Conversations that the assistant failed to hold."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.fault is Fault.ASSISTANT)

    @property
    def breaches(self) -> tuple[Verdict, ...]:
        """What is in breach, the loudest first."""
        found = [verdict for verdict in self.verdicts if verdict.finding is Finding.BREACH]
        return tuple(sorted(found, key=lambda verdict: -verdict.severity.rank))

    @property
    def changes(self) -> tuple[tuple[IntentReport, Difference], ...]:
        """The intents that the check before played unchanged: what surely moved first, then what fell most."""
        known = [(intent, intent.change) for intent in self.intents if intent.change is not None]
        return tuple(sorted(known, key=lambda pair: (not pair[1].is_sure, pair[1].value, pair[0].intent_id)))

    @property
    def wanted(self) -> float:
        """The least mean that an intent is called good with: the threshold, or what one conversation passes with."""
        return PASS_SCORE if self.threshold is None else self.threshold

    def is_low(self, intent: IntentReport) -> bool:
        """Whether the intent's mean is less than what is wanted."""
        return intent.mean is not None and intent.mean < self.wanted


def error_share(summary: CheckSummary | None) -> float | None:
    """Of the conversations that say something, those that the assistant failed to hold; None where none does."""
    return summary.error_count / summary.valid if summary and summary.valid else None
