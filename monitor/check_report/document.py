"""A report as one JSON object. `config/schema/report.v1.schema.json` is its schema; what was not measured is null."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from statistics import fmean
from typing import Any, Final

from monitor.canary import CanaryRun
from monitor.check import CheckRecord, CheckSummary, Conversation, Group
from monitor.check_report.changes import Difference, Sample
from monitor.check_report.report import CheckReport, Compared, IntentReport
from monitor.fidelity import PUBLISHED, Fidelity
from monitor.score import MEASURES, measures
from monitor.store import CheckPoint
from monitor.verdict import Verdict

SCHEMA: Final = "assistant-monitor/report/v1"
Document = dict[str, Any]


def render(report: CheckReport) -> str:
    """The object as text, in ASCII: inert wherever it is shown."""
    return json.dumps(describe(report), indent=2, allow_nan=False) + "\n"


def describe(report: CheckReport) -> Document:
    """What a check found, for machines."""
    check, summary = report.check, report.summary
    return {
        "schema": SCHEMA,
        "check_id": check.id,
        "suite": check.suite,
        "status": check.status.value,
        "reason": check.reason,
        "trigger": check.trigger.value,
        "average_score": summary.mean if summary else None,
        "interval": _interval(report.sample),
        "threshold": report.threshold,
        **_numbers(summary),
        **_measures(report.conversations),
        "total_tests": summary.planned if summary else check.planned,
        "valid_tests": summary.valid if summary else None,
        "error_count": report.error_count,
        "outcomes": {outcome.value: count for outcome, count in report.outcomes.items()},
        "seed": check.seed,
        "epoch": check.epoch,
        "started_at": check.started_at.isoformat(),
        "finished_at": _time(check.finished_at),
        "duration_seconds": check.duration_seconds,
        "made_at": report.made_at.isoformat(),
        "compared": _compared(report.compared),
        "not_compared": report.not_compared or None,
        "baseline": _baseline(report),
        "verdicts": [_verdict(verdict) for verdict in report.verdicts],
        "canaries": _canaries(report.canaries, report),
        "judge": report.judge.value if report.judge else None,
        "trend": [_point(point) for point in report.trend],
        "intents": [_intent(intent) for intent in report.intents],
        "results_retired": report.retired,
        "results": [_result(conversation) for conversation in report.conversations],
    }


def _numbers(summary: CheckSummary | None) -> Document:
    if summary is None:
        names = ("average_score_completed", "standard_error", "clustered_error", "success_rate", "in_spec")
        return dict.fromkeys((*names, "out_of_spec", "fidelity", "average_turns", "latency_seconds", "rounds"))
    return {
        "average_score_completed": summary.mean_scored,
        "standard_error": summary.standard_error,
        "clustered_error": summary.clustered_error,
        "success_rate": summary.success_rate,
        "in_spec": _group(summary.in_spec),
        "out_of_spec": _group(summary.out_of_spec),
        "fidelity": _fidelity(summary.fidelity),
        "average_turns": summary.average_turns,
        "latency_seconds": summary.latency_seconds,
        "rounds": summary.rounds,
    }


def _measures(conversations: Sequence[Conversation]) -> dict[str, float | None]:
    """The mean of each measure over the conversations that have it."""
    found = [measures(conversation.score) for conversation in conversations]
    means: dict[str, float | None] = {}
    for name in MEASURES:
        values = [value for one in found if (value := one[name]) is not None]
        means[name] = fmean(values) if values else None
    return means


def _group(group: Group | None) -> Document | None:
    return {"conversations": group.conversations, "average_score": group.mean} if group else None


def _fidelity(fidelity: Fidelity | None) -> Document | None:
    """The measures, and beside them what is published of people and of models that play users."""
    published = {name: dict(known) for name, known in PUBLISHED.items()}
    return {**asdict(fidelity), "published": published} if fidelity else None


def _compared(compared: Compared | None) -> Document | None:
    if compared is None:
        return None
    before: CheckRecord = compared.before
    return {
        "check_id": before.id,
        "status": before.status.value,
        "started_at": before.started_at.isoformat(),
        "average_score": before.summary.mean if before.summary else None,
        "error_count": before.summary.error_count if before.summary else None,
        "valid_tests": before.summary.valid if before.summary else None,
        "latency_seconds": before.summary.latency_seconds if before.summary else None,
        "difference": _difference(compared.difference),
        "intents_added": list(compared.added),
        "intents_gone": list(compared.gone),
        "intents_edited": list(compared.edited),
    }


def _difference(one: Difference | None) -> Document | None:
    if one is None:
        return None
    return {
        "before": one.before,
        "now": one.now,
        "difference": one.value,
        "interval": list(one.interval),
        "is_sure": one.is_sure,
    }


def _baseline(report: CheckReport) -> Document | None:
    known = report.baseline
    return {"checks": known.checks, "difference": _difference(known.difference)} if known else None


def _verdict(verdict: Verdict) -> Document:
    return {
        "scope": verdict.scope,
        "rule": verdict.rule,
        "finding": verdict.finding.value,
        "severity": verdict.severity.value,
        "reason": verdict.reason,
        "value": verdict.value,
        "threshold": verdict.threshold,
    }


def _canaries(run: CanaryRun | None, report: CheckReport) -> Document:
    return {
        "state": report.canary_state.value if report.canary_state else None,
        "at": run.at.isoformat() if run else None,
        "auc": run.auc if run else None,
        "reason": run.reason or None if run else None,
    }


def _point(point: CheckPoint) -> Document:
    return {
        "check_id": point.id,
        "status": point.status.value,
        "started_at": point.started_at.isoformat(),
        "average_score": point.mean,
        "standard_error": point.standard_error,
    }


def _intent(intent: IntentReport) -> Document:
    return {
        "intent": intent.intent_id,
        "average_score": intent.mean,
        "interval": _interval(intent.sample),
        "valid": intent.valid,
        "planned": intent.planned,
        "passed": intent.passed,
        "errors": intent.errors,
        "weight": intent.weight,
        "critical": intent.critical,
        "fingerprint": intent.fingerprint or None,
        "baseline": intent.baseline,
        "change": _difference(intent.change),
    }


def _result(conversation: Conversation) -> Document:
    transcript, score = conversation.transcript, conversation.score
    return {
        "conversation_id": conversation.id,
        "intent": conversation.intent_id,
        "round": conversation.round,
        "attempt": conversation.attempt,
        "outcome": transcript.outcome.value,
        "end": transcript.end.value,
        "detail": transcript.detail,
        "score": conversation.value,
        "passed": score.passed,
        "user_departure": conversation.validity.departure if conversation.validity else None,
        "turns": len(transcript.user_turns),
        "duration_seconds": transcript.duration_seconds,
        "components": {component.name: component.value for component in score.components},
        **measures(score),
    }


def _interval(sample: Sample | None) -> list[float] | None:
    return list(sample.interval) if sample else None


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
