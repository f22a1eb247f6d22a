"""Values to store. Each function gives a plain one; keyword arguments change what a test is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.check import CheckRecord, CheckStatus, CheckSummary, Conversation, IntentSummary, Slot, Trigger
from monitor.incident import Alert, Incident
from monitor.labelling import PersonLabel, Sample
from monitor.machine import AlertState, Breach, NotificationKind, Phase
from monitor.score import ComponentScore, Evidence, ItemScore, Score
from monitor.store import Closing, NotificationDraft, Store
from monitor.transcript import EndReason, Outcome, Role, Sampled, ToolCall, Transcript, Turn, Usage
from monitor.verdict import Finding, Severity, Verdict

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_check(check_id: str = "c1", **changes: Any) -> CheckRecord:
    values: dict[str, Any] = {
        "id": check_id,
        "suite": "main",
        "trigger": Trigger.ALERTING,
        "status": CheckStatus.RUNNING,
        "epoch": "e1",
        "seed": 7,
        "started_at": NOW,
        "planned": 4,
    }
    return CheckRecord(**values | changes)


def a_summary() -> CheckSummary:
    intent = IntentSummary(intent_id="return", weight=1.0, critical=False, mean=0.75, planned=4, valid=4, passed=3)
    return CheckSummary(
        planned=4,
        valid=4,
        mean=0.75,
        mean_scored=0.8,
        success_rate=0.75,
        average_turns=2.5,
        outcomes={Outcome.COMPLETED: 3, Outcome.ASSISTANT_ERROR: 1},
        intents=(intent,),
    )


def an_ended_check(check_id: str = "c1", **changes: Any) -> CheckRecord:
    ended: dict[str, Any] = {"status": CheckStatus.HEALTHY, "finished_at": after(60), "summary": a_summary()}
    return a_check(check_id, **ended | changes)


def a_score() -> Score:
    said = Evidence(turn=1, quote="30 days")
    item = ItemScore(id="days", kind="required_fact", value=1.0, reason="found", critical=True, evidence=(said,))
    return Score(value=0.9, reason="", gate=1.0, components=(ComponentScore(name="task", value=0.9, items=(item,)),))


def a_transcript(**changes: Any) -> Transcript:
    reply = Turn(
        role=Role.ASSISTANT,
        text="30 days.",
        at=after(2),
        latency_seconds=1.25,
        usage=Usage(prompt_tokens=12),
        tool_calls=(ToolCall(name="policy", arguments="{}"),),
    )
    asked = Turn(role=Role.USER, text="How long?", at=after(1), sampled=Sampled(tries=2, hits=("length",), p_end=0.1))
    values: dict[str, Any] = {
        "turns": (asked, reply),
        "end": EndReason.USER_ENDED,
        "outcome": Outcome.COMPLETED,
        "started_at": NOW,
        "finished_at": after(3),
        "final": Sampled(p_end=0.9),
        "cuts": ("turn 0",),
    }
    return Transcript(**values | changes)


def a_conversation(conversation_id: str = "v1", check_id: str = "c1", **changes: Any) -> Conversation:
    values: dict[str, Any] = {
        "id": conversation_id,
        "check_id": check_id,
        "intent_id": "return",
        "fingerprint": "0123456789abcdef",
        "persona": None,
        "round": 0,
        "attempt": 1,
        "seed": 2**62,
        "epoch": "0123456789ab",
        "transcript": a_transcript(),
        "score": a_score(),
    }
    return Conversation(**values | changes)


def a_label(label_id: str = "l1", conversation_id: str = "v1", **changes: Any) -> PersonLabel:
    values: dict[str, Any] = {
        "id": label_id,
        "conversation_id": conversation_id,
        "at": after(60),
        "by": "Ann",
        "passed": True,
        "value": 0.8,
        "reason": "it says how long",
        "sample": Sample.RISK,
        "probability": 0.25,
        "score": 0.9,
        "score_passed": True,
        "epoch": "0123456789ab",
    }
    return PersonLabel(**values | changes)


def a_verdict(**changes: Any) -> Verdict:
    values: dict[str, Any] = {
        "scope": "overall",
        "rule": "quality",
        "finding": Finding.BREACH,
        "severity": Severity.CRITICAL,
        "reason": "mean 0.5",
        "value": 0.5,
        "threshold": 0.7,
    }
    return Verdict(**values | changes)


def an_incident(incident_id: str = "i1", **changes: Any) -> Incident:
    values: dict[str, Any] = {
        "id": incident_id,
        "scope": "main/overall",
        "dedup_key": "app:prod:main/overall",
        "rule": "quality",
        "severity": Severity.CRITICAL,
        "opened_at": NOW,
        "opened_by_check": None,
        "reason": "mean 0.5",
    }
    return Incident(**values | changes)


def a_state(version: int = 1, **changes: Any) -> AlertState:
    values: dict[str, Any] = {
        "scope": "main/overall",
        "phase": Phase.FIRING,
        "since": NOW,
        "incident_id": "i1",
        "breaches": (Breach(rule="quality", severity=Severity.CRITICAL, reason="it fell", since=NOW),),
        "severity": Severity.CRITICAL,
        "channels": ("slack", "pagerduty"),
        "version": version,
    }
    return AlertState(**values | changes)


def an_alert() -> Alert:
    return Alert(
        app="shop",
        environment="prod",
        suite="main",
        scope="main/overall",
        rule="quality",
        severity=Severity.CRITICAL,
        dedup_key="shop:prod:main/overall",
        incident_id="i1",
        title="Answers got worse",
        reason="mean 0.5",
        average=0.5,
        threshold=0.7,
        success_rate=None,
        check_id="c1",
        epoch="e1",
        opened_at=NOW,
        at=NOW,
    )


def a_draft(**changes: Any) -> NotificationDraft:
    values: dict[str, Any] = {
        "incident_id": "i1",
        "scope": "main/overall",
        "channel": "slack",
        "kind": NotificationKind.OPEN,
        "dedup_key": "app:prod:main/overall",
        "alert": an_alert(),
        "at": NOW,
    }
    return NotificationDraft(**values | changes)


def a_closing(check_id: str = "c1", slot: Slot | None = None, **changes: Any) -> Closing:
    """The end of a check that found a breach and opened an incident."""
    values: dict[str, Any] = {
        "check": an_ended_check(check_id, status=CheckStatus.DEGRADED, slot_at=slot.at if slot else None),
        "slot": slot,
        "verdicts": (a_verdict(),),
        "states": (a_state(),),
        "opened": (an_incident(opened_by_check=check_id),),
        "notifications": (a_draft(),),
    }
    return Closing(**values | changes)


def claim_slot(store: Store, owner: str = "a", *, at: datetime = NOW, seconds: float = 0.0) -> Slot | None:
    """Claim the slot of `at`, some seconds after NOW, for a minute; it may be lost for an hour."""
    return store.claim_slot(
        "main", at, owner=owner, now=after(seconds), lease_seconds=60, second_attempt_grace_seconds=3600
    )


def claim_held(store: Store, owner: str = "a", *, at: datetime = NOW, seconds: float = 0.0) -> Slot:
    slot = claim_slot(store, owner, at=at, seconds=seconds)
    assert slot is not None
    return slot
