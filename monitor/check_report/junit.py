"""A report as JUnit XML, as Jenkins, GitLab and others read test results: a test case for the suite and each intent.

Follows the stricter of the schemas in use, that of Ant's task, so that laxer readers take it too: one result a case,
output at the end of the suite, times without a zone (they are UTC).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from xml.etree import ElementTree as ET

from monitor.check import CheckStatus, Conversation
from monitor.check_report import wording
from monitor.check_report.excerpts import worst_of
from monitor.check_report.report import CheckReport, IntentReport
from monitor.reveal import reveal, shorten
from monitor.transcript import Fault
from monitor.verdict import OVERALL

MESSAGE_CHARACTERS = 500
DETAIL_CHARACTERS = 10_000
TURN_CHARACTERS = 1_500
OUTPUT_CHARACTERS = 50_000

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case. `result` is failure, error or skipped; None: it holds."""

    name: str
    seconds: float
    result: str | None = None
    message: str = ""
    kind: str = ""
    detail: str = ""


def render(report: CheckReport) -> str:
    """The XML document."""
    root = ET.Element("testsuites")
    root.append(_suite(report, [*_cases(report)]))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(report: CheckReport, cases: list[Case]) -> ET.Element:
    check = report.check
    counts = {result: str(sum(1 for case in cases if case.result == result)) for result in _RESULTS}
    suite = ET.Element(
        "testsuite",
        {
            "name": _text(check.suite) or "suite",
            "package": _text(check.suite),
            "id": "0",
            "tests": str(len(cases)),
            "failures": counts["failure"],
            "errors": counts["error"],
            "skipped": counts["skipped"],
            "time": f"{check.duration_seconds or 0.0:.3f}",
            "timestamp": f"{check.started_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
            "hostname": "localhost",
        },
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report):
        ET.SubElement(properties, "property", {"name": name, "value": _text(value)})
    for case in cases:
        suite.append(_element(case, check.suite))
    ET.SubElement(suite, "system-out").text = _text("\n".join(_output(report)), OUTPUT_CHARACTERS)
    ET.SubElement(suite, "system-err")
    return suite


_RESULTS = ("failure", "error", "skipped")


def _element(case: Case, suite: str) -> ET.Element:
    names = {"classname": _text(suite) or "suite", "name": _text(case.name), "time": f"{case.seconds:.3f}"}
    element = ET.Element("testcase", names)
    if case.result:
        about = {"message": _text(case.message, MESSAGE_CHARACTERS), "type": case.kind}
        ET.SubElement(element, case.result, about).text = _text(case.detail, DETAIL_CHARACTERS)
    return element


def _cases(report: CheckReport) -> Iterator[Case]:
    yield _overall(report)
    for intent in report.intents:
        yield _of_intent(report, intent)


def _overall(report: CheckReport) -> Case:
    """The suite as a whole: it can be degraded where no intent is by itself."""
    results = {CheckStatus.HEALTHY: None, CheckStatus.DEGRADED: "failure", CheckStatus.INCONCLUSIVE: "skipped"}
    status = report.check.status
    return Case(
        name=OVERALL,
        seconds=report.check.duration_seconds or 0.0,
        result=results.get(status, "skipped" if status is CheckStatus.RUNNING else "error"),
        message=wording.standing(report),
        kind=status.value,
        detail="\n".join(wording.what_changed(report)),
    )


def _of_intent(report: CheckReport, intent: IntentReport) -> Case:
    seconds = intent.duration_seconds or 0.0
    if intent.mean is None:
        message = f"no conversation says anything about the assistant ({intent.kept} are stored)"
        detail = "\n".join(_ours(report, intent))
        return Case(
            name=intent.intent_id,
            seconds=seconds,
            result="skipped",
            message=message,
            kind="not_measured",
            detail=detail,
        )
    if not report.is_low(intent):
        return Case(name=intent.intent_id, seconds=seconds)
    is_error = _is_by_errors(report, intent)
    bounds = f" (95 %: {wording.span(intent.sample.interval)})" if intent.sample else ""
    conversation = worst_of(report.conversations, intent.intent_id)
    return Case(
        name=intent.intent_id,
        seconds=seconds,
        result="error" if is_error else "failure",
        message=f"average {intent.mean:.2f}{bounds} is below {report.wanted:.2f}; {wording.intent_line(intent)}",
        kind="assistant_error" if is_error else "low_score",
        detail="\n".join(_told(conversation)) if conversation else "no conversation is kept any more",
    )


def _is_by_errors(report: CheckReport, intent: IntentReport) -> bool:
    """Whether the intent would not be low but for conversations that the assistant failed to hold."""
    scores = [
        c.score.value
        for c in report.conversations
        if c.intent_id == intent.intent_id and c.transcript.outcome.fault is Fault.NOBODY and c.score.value is not None
    ]
    return intent.errors > 0 and (not scores or sum(scores) / len(scores) >= report.wanted)


def _ours(report: CheckReport, intent: IntentReport) -> Iterator[str]:
    """What kept the conversations of an intent from saying anything."""
    for conversation in report.conversations:
        if conversation.intent_id == intent.intent_id:
            yield f"{wording.conversation_name(conversation)}: {wording.in_short(conversation)}"


def _told(conversation: Conversation) -> Iterator[str]:
    """The worst conversation, as text."""
    yield f"Worst: {wording.conversation_name(conversation)}, {wording.number(conversation.value)}"
    yield f"{wording.in_short(conversation)} ({conversation.id})"
    for turn in conversation.transcript.turns:
        yield ""
        yield f"{turn.role}: {shorten(turn.text, TURN_CHARACTERS)}"


def _properties(report: CheckReport) -> Iterator[tuple[str, str]]:
    check, summary = report.check, report.summary
    yield "check_id", check.id
    yield "status", check.status.value
    yield "reason", check.reason
    yield "epoch", check.epoch
    yield "mean", wording.number(summary.mean if summary else None, 4)
    yield "interval", wording.span(report.sample.interval if report.sample else None)
    yield "threshold", "unknown" if report.threshold is None else f"{report.threshold:.2f}"
    yield "success_rate", wording.number(summary.success_rate if summary else None, 4)
    yield "valid", f"{summary.valid} of {summary.planned}" if summary else wording.NOT_MEASURED
    yield "seed", str(check.seed)
    if report.base_url:
        yield "url", wording.page(report.base_url, "checks", check.id)


def _output(report: CheckReport) -> Iterator[str]:
    yield wording.standing(report)
    yield from wording.what_changed(report)
    yield ""
    for intent in report.intents:
        yield f"{wording.number(intent.mean)}  {intent.intent_id}: {wording.intent_line(intent)}"
    for verdict in report.verdicts:
        yield f"{verdict.finding}  {verdict.scope} {verdict.rule}: {verdict.reason}"


def _text(text: str, limit: int = MESSAGE_CHARACTERS) -> str:
    """What XML may hold: control and hidden characters spelled out, and nothing that the standard forbids."""
    return _ILLEGAL.sub("", reveal(shorten(text, limit)))
