"""Stored values for the pages to show, and a store in memory that gives them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import httpx
from starlette.types import ASGIApp

from monitor.calibration import Calibration
from monitor.check import (
    CheckRecord,
    CheckStatus,
    CheckSummary,
    Conversation,
    IntentSummary,
    Rescored,
    Snapshot,
    SuiteSnapshot,
    Trigger,
    Watched,
)
from monitor.errors import StoreUnavailable
from monitor.fidelity import Fidelity
from monitor.incident import Alert, Incident, Notification, NotificationStatus
from monitor.labelling import PersonLabel
from monitor.machine import NotificationKind
from monitor.review import Candidate
from monitor.score import ComponentScore, Evidence, ItemScore, Score
from monitor.store import Baseline, Beside, CheckPoint, ConversationLine, LabelsWanted
from monitor.store.history import point_of
from monitor.store.places import Part, Place, Span
from monitor.transcript import EndReason, Fault, Outcome, Role, Sampled, ToolCall, Transcript, Turn, Usage
from monitor.verdict import Finding, Severity, Verdict
from monitor.web.pages import pages_app

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOKEN = "correct-horse-battery"  # not a secret: it opens only these tests


def user(text: str, seconds: float = 0.0, sampled: Sampled | None = None) -> Turn:
    return Turn(role=Role.USER, text=text, at=T0 + timedelta(seconds=seconds), sampled=sampled)


def assistant(text: str, seconds: float = 1.0, calls: tuple[ToolCall, ...] = ()) -> Turn:
    return Turn(
        role=Role.ASSISTANT,
        text=text,
        at=T0 + timedelta(seconds=seconds),
        latency_seconds=1.24,
        first_token_seconds=0.31,
        usage=Usage(prompt_tokens=120, completion_tokens=48),
        tool_calls=calls,
        finish_reason="stop",
    )


TURNS = (
    user("How long can I return shoes I bought in the shop?", sampled=Sampled(tries=2, hits=("too_long",), p_end=0.01)),
    assistant("You can return them within 30 days, unworn and with the receipt.", 2),
    user("And if I lost the receipt?", 5, Sampled(tries=1, p_end=0.12)),
    assistant("Then we need your card number to find the purchase.", 8, (ToolCall(name="find", arguments='{"q": 1}'),)),
)

SCORE = Score(
    value=0.72,
    reason="",
    gate=1.0,
    components=(
        ComponentScore(
            name="task",
            value=0.72,
            items=(
                ItemScore(
                    id="thirty-days",
                    kind="required_fact",
                    value=1.0,
                    reason="the pattern '30[ -]days' was found",
                    critical=True,
                    evidence=(Evidence(turn=1, quote="within 30 days"),),
                ),
                ItemScore(
                    id="no-card-number",
                    kind="forbidden",
                    value=0.0,
                    reason="asked for a card number",
                    evidence=(Evidence(turn=3, quote="your card number"),),
                ),
            ),
        ),
        ComponentScore(
            name="quality",
            value=None,
            reason="no judge is configured",
            items=(
                ItemScore(id="stays-in-role", kind="judge", value=None, reason="no judge is configured", is_on=False),
            ),
        ),
    ),
)


def conversation(
    id: str = "c1",  # noqa: A002
    *,
    turns: tuple[Turn, ...] = TURNS,
    end: EndReason = EndReason.USER_ENDED,
    score: Score = SCORE,
    detail: str = "",
    intent_id: str = "return-window",
) -> Conversation:
    transcript = Transcript(
        turns=turns,
        end=end,
        outcome=end.outcome,
        started_at=T0,
        finished_at=T0 + timedelta(seconds=14),
        detail=detail,
        final=Sampled(p_end=0.93),
    )
    return Conversation(
        id=id,
        check_id="k1",
        intent_id=intent_id,
        fingerprint="0" * 16,
        persona=None,
        round=0,
        attempt=0,
        seed=7,
        epoch="e1",
        transcript=transcript,
        score=score,
    )


SUMMARY = CheckSummary(
    planned=4,
    valid=3,
    mean=0.64,
    mean_scored=0.71,
    success_rate=2 / 3,
    average_turns=2.5,
    outcomes={Outcome.COMPLETED: 2, Outcome.ASSISTANT_ERROR: 1, Outcome.SIMULATOR_INVALID: 1},
    intents=(
        IntentSummary(
            intent_id="well", weight=1, critical=False, mean=0.9, planned=2, valid=2, passed=2, fingerprint="f-well"
        ),
        IntentSummary(
            intent_id="unmeasured",
            weight=1,
            critical=False,
            mean=None,
            planned=1,
            valid=0,
            passed=0,
            fingerprint="f-unmeasured",
        ),
        IntentSummary(
            intent_id="unwell", weight=2, critical=True, mean=0.2, planned=1, valid=1, passed=0, fingerprint="f-unwell"
        ),
    ),
)

USERS = Fidelity(
    conversations=3, turns=6, opener_words=7.5, first_turn_diversity=0.91, hits={"repetition": 2, "too_long": 1}
)

CHECK = CheckRecord(
    id="k1",
    suite="shop",
    trigger=Trigger.SCHEDULE,
    status=CheckStatus.DEGRADED,
    epoch="e1",
    seed=7,
    started_at=T0,
    planned=4,
    finished_at=T0 + timedelta(minutes=3),
    summary=SUMMARY,
    reason="average 0.64 is below 0.70",
)
RUNNING = replace(CHECK, id="k2", status=CheckStatus.RUNNING, finished_at=None, summary=None, reason="")

VERDICT = Verdict(
    scope="shop/overall",
    rule="mean",
    finding=Finding.BREACH,
    severity=Severity.CRITICAL,
    reason="average 0.64 is below 0.70",
    value=0.64,
    threshold=0.70,
)

INCIDENT = Incident(
    id="i1",
    scope="shop/overall",
    dedup_key="assistant-monitor:production:shop/overall",
    rule="mean",
    severity=Severity.CRITICAL,
    opened_at=T0 + timedelta(minutes=3),
    opened_by_check="k1",
    reason="average 0.64 is below 0.70",
)

ALERT = Alert(
    app="assistant-monitor",
    environment="production",
    suite="shop",
    scope="shop/overall",
    rule="mean",
    severity=Severity.CRITICAL,
    dedup_key=INCIDENT.dedup_key,
    incident_id="i1",
    title="shop is degraded",
    reason=INCIDENT.reason,
    average=0.64,
    threshold=0.70,
    success_rate=2 / 3,
    check_id="k1",
    epoch="e1",
    opened_at=INCIDENT.opened_at,
    at=INCIDENT.opened_at,
)


def notification(channel: str, status: NotificationStatus, *, attempts: int = 1, error: str = "") -> Notification:
    return Notification(
        id=f"n-{channel}",
        sequence=1,
        incident_id="i1",
        scope="shop/overall",
        channel=channel,
        kind=NotificationKind.OPEN,
        dedup_key=INCIDENT.dedup_key,
        alert=ALERT,
        status=status,
        created_at=INCIDENT.opened_at,
        attempts=attempts,
        sent_at=INCIDENT.opened_at + timedelta(seconds=2) if status is NotificationStatus.SENT else None,
        last_error=error,
    )


def snapshot(*suites: SuiteSnapshot) -> Snapshot:
    suites = suites or (
        SuiteSnapshot(suite="shop", watched=Watched(threshold=0.70), last=CHECK, last_ended=CHECK, last_valid=CHECK),
    )
    return Snapshot(
        taken_at=T0 + timedelta(minutes=4),
        suites=suites,
        checks={("shop", CheckStatus.DEGRADED): 1, ("shop", CheckStatus.RUNNING): 1},
        conversations={("shop", Outcome.COMPLETED): 2, ("shop", Outcome.ASSISTANT_ERROR): 1},
        notifications={("slack", "open", "sent"): 1, ("pagerduty", "open", "pending"): 1},
        incidents_open={"shop": 1},
    )


@dataclass
class MemoryRecords:
    """The reading half of a store, in memory. While `is_away` every read fails as it does without a database."""

    stored_checks: tuple[CheckRecord, ...] = (CHECK,)
    stored_conversations: tuple[Conversation, ...] = (conversation(),)
    stored_incidents: tuple[Incident, ...] = (INCIDENT,)
    stored_notifications: tuple[Notification, ...] = ()
    stored_calibration: Calibration | None = None
    stored_rescored: tuple[Rescored, ...] = ()
    stored_labels: tuple[PersonLabel, ...] = ()
    stored_baseline: Baseline | None = None
    is_away: bool = False

    def check(self, check_id: str, /) -> CheckRecord | None:
        return next((check for check in self.checks() if check.id == check_id), None)

    def checks(
        self, suite: str | None = None, /, *, limit: int = 50, alerting_only: bool = False
    ) -> Sequence[CheckRecord]:
        self._reach()
        wanted = [check for check in self.stored_checks if suite in (None, check.suite)]
        return [check for check in wanted if not (alerting_only and check.trigger is Trigger.MANUAL)][:limit]

    def history(
        self,
        suite: str,
        /,
        *,
        limit: int,
        before: str | None = None,
        alerting_only: bool = True,
        with_studies: bool = False,
    ) -> Sequence[CheckPoint]:
        points = [point_of(check) for check in self.checks(suite, limit=10_000, alerting_only=alerting_only)]
        since = next((number + 1 for number, point in enumerate(points) if point.id == before), 0)
        return points[since : since + limit]

    def intents_of(
        self, check_ids: Collection[str], /, *, only: Collection[str] | None = None
    ) -> Mapping[str, tuple[IntentSummary, ...]]:
        found = [check for check in self.checks(limit=10_000) if check.id in check_ids and check.summary]
        return {
            check.id: tuple(i for i in check.summary.intents if only is None or i.intent_id in only)
            for check in found
            if check.summary
        }

    def lines(self, check_id: str, /) -> Sequence[ConversationLine]:
        return [_line(stored) for stored in self.conversations(check_id)]

    def intent_lines(self, check_ids: Collection[str], intent_id: str, /, *, limit: int) -> Sequence[ConversationLine]:
        lines = [line for check_id in check_ids for line in self.lines(check_id)]
        return [line for line in lines if line.intent_id == intent_id][:limit]

    def beside(self, conversation_id: str, /) -> Beside | None:
        talk = self.conversation(conversation_id)
        if talk is None:
            return None
        failed = [line for line in self.lines(talk.check_id) if line.passed is False]
        made = self.check(talk.check_id)
        return Beside(
            conversation=talk,
            suite=made.suite if made else CHECK.suite,
            purpose=made.purpose if made else CHECK.purpose,
            failing=tuple(line.id for line in sorted(failed, key=lambda line: (line.value or 0.0, line.id))),
            rescored=tuple(one for one in self.stored_rescored if one.conversation_id == talk.id),
        )

    def finished(self, check_id: str, /) -> int:
        return len(self.conversations(check_id))

    def baseline(self, suite: str, epoch: str, /) -> Baseline | None:
        self._reach()
        return self.stored_baseline

    def conversations(self, check_id: str, /) -> Sequence[Conversation]:
        self._reach()
        return [stored for stored in self.stored_conversations if stored.check_id == check_id]

    def conversation(self, conversation_id: str, /) -> Conversation | None:
        self._reach()
        return next((stored for stored in self.stored_conversations if stored.id == conversation_id), None)

    def rescored(self, conversation_id: str, /) -> Sequence[Rescored]:
        self._reach()
        return [stored for stored in self.stored_rescored if stored.conversation_id == conversation_id]

    def verdicts(self, check_id: str, /) -> Sequence[Verdict]:
        self._reach()
        return [VERDICT] if check_id == CHECK.id else []

    def is_judged(self, check_id: str, /) -> bool:
        return any(stored.score.judged for stored in self.conversations(check_id))

    def calibration(self, epoch: str, /) -> Calibration | None:
        self._reach()
        return self.stored_calibration

    def incident(self, incident_id: str, /) -> Incident | None:
        return next((incident for incident in self.incidents() if incident.id == incident_id), None)

    def incidents(self, *, open_only: bool = False, limit: int = 50) -> Sequence[Incident]:
        self._reach()
        return [i for i in self.stored_incidents if not (open_only and i.closed_at)][:limit]

    def incidents_since(
        self, since: datetime, /, *, suite: str | None = None, scope: str | None = None, limit: int
    ) -> Sequence[Incident]:
        lasting = [i for i in self.incidents(limit=10_000) if i.closed_at is None or i.closed_at >= since]
        return [i for i in lasting if scope in (None, i.scope) and (suite is None or i.scope.startswith(f"{suite}/"))][
            :limit
        ]

    def incidents_before(
        self, *, is_open: bool | None = None, before: str | None = None, limit: int = 50
    ) -> Sequence[Incident]:
        found = [i for i in self.incidents(limit=10_000) if is_open in (None, i.closed_at is None)]
        since = next((number + 1 for number, one in enumerate(found) if one.id == before), 0)
        return found[since : since + limit]

    def notifications(self, incident_id: str | None = None, /, *, limit: int = 200) -> Sequence[Notification]:
        self._reach()
        return [n for n in self.stored_notifications if incident_id in (None, n.incident_id)][:limit]

    def candidates(self, ended: Span, /, *, limit: int) -> Sequence[Candidate]:
        self._reach()
        return [_candidate(stored) for stored in self.stored_conversations if stored.score.value is not None][:limit]

    def labels(self, wanted: LabelsWanted, /, *, after: Place | None = None, limit: int) -> Part[PersonLabel]:
        self._reach()
        about = wanted.conversation_id
        found = [label for label in self.stored_labels if about in (None, label.conversation_id)]
        return Part(rows=tuple(reversed(found[-limit:])), next=None)

    def save_label(self, given: PersonLabel, /) -> bool:
        is_there = self.conversation(given.conversation_id) is not None
        self.stored_labels += (given,) if is_there else ()
        return is_there

    def _reach(self) -> None:
        if self.is_away:
            raise StoreUnavailable("connection refused")


def _line(stored: Conversation) -> ConversationLine:
    talk = stored.transcript
    passed = False if talk.outcome.fault is Fault.ASSISTANT else stored.score.passed
    names = ("id", "check_id", "intent_id", "round", "attempt", "value")
    said = {name: getattr(talk, name) for name in ("outcome", "end", "started_at", "finished_at")}
    return ConversationLine(**{name: getattr(stored, name) for name in names}, **said, passed=passed)


def _candidate(stored: Conversation) -> Candidate:
    return Candidate(
        id=stored.id,
        suite=CHECK.suite,
        intent_id=stored.intent_id,
        epoch=stored.epoch,
        finished_at=stored.transcript.finished_at,
        end=stored.transcript.end,
        score=stored.score.value or 0.0,
        has_failed_critical=any(item.critical and item.is_on and not item.passed for item in stored.score.items),
        has_unsure_judge=False,
        departure=stored.validity.departure if stored.validity else None,
    )


def pages(records: MemoryRecords | None = None, *, base_url: str | None = None, token: str | None = None) -> ASGIApp:
    return pages_app(records or MemoryRecords(), snapshot, base_url=base_url, token=token, clock=lambda: T0)


def client(app: ASGIApp, base_url: str = "http://localhost") -> httpx.AsyncClient:
    """A browser without cookies that talks to the application in this process."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url=base_url)
