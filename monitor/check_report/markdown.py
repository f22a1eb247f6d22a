"""A report as GitHub-flavoured Markdown, short enough for a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.check_report import wording
from monitor.check_report.inert import block, code, in_html, inline
from monitor.check_report.report import CheckReport, Excerpt, IntentReport
from monitor.check_report.wording import number

MOST_CHARACTERS = 60_000
"""GitHub takes 65,536 in a comment."""
INTENTS, VERDICTS, CONVERSATIONS = 25, 25, 5
TURN_CHARACTERS = 1_500
TURNS = 12
FAILED_ITEMS = 12
LEFT_OUT = "\n*More is left out here; the HTML report has it.*\n"

_SIGNS = {"healthy": "✅", "degraded": "❌", "running": "⏳"}


def render(report: CheckReport) -> str:
    """The document. What does not fit is left out whole from the end, and that is said."""
    kept: list[str] = []
    size = 0
    for part in _parts(report):
        size += len(part) + 1
        if size > MOST_CHARACTERS:
            kept.append(LEFT_OUT)
            break
        kept.append(part)
    return "\n".join(kept)


def _parts(report: CheckReport) -> Iterator[str]:
    check = report.check
    sign = _SIGNS.get(check.status, "⚠️")
    yield f"## {sign} {inline(check.suite)}: {check.status.value}\n"
    if check.reason:
        yield inline(check.reason, 600) + "\n"
    yield "".join(f"- {inline(sentence, 600)}\n" for sentence in wording.what_changed(report))
    yield _facts(report)
    if report.intents:
        yield _intents(report)
    if report.verdicts:
        yield _verdicts(report)
    if report.worst:
        yield "### Conversations to read\n"
    for excerpt in report.worst[:CONVERSATIONS]:
        yield _conversation(report, excerpt)
    yield _end(report)


def _facts(report: CheckReport) -> str:
    rows = "".join(f"| {inline(name)} | {inline(value)} |\n" for name, value in wording.facts(report))
    return f"| | |\n|---|---|\n{rows}"


def _intents(report: CheckReport) -> str:
    head = "### Intents, worst first\n\n| Intent | Average | 95 % | Before | Change | 95 % | Baseline | Passed |\n"
    shown = report.intents[:INTENTS]
    rows = "".join(_intent(report, intent) for intent in shown)
    more = len(report.intents) - len(shown)
    note = f"\n{more} more are not shown.\n" if more else ""
    sure = "\n**Bold**: moved by more than chance, all intents asked together.\n" if _any_sure(report) else ""
    return f"{head}|---|--:|:-:|--:|--:|:-:|--:|---|\n{rows}{note}{sure}"


def _any_sure(report: CheckReport) -> bool:
    return any(change.is_sure for _, change in report.changes)


def _intent(report: CheckReport, intent: IntentReport) -> str:
    low = " ⬇" if report.is_low(intent) else ""
    critical = " *(critical)*" if intent.critical else ""
    before = moved = bounds = "–"
    if change := intent.change:
        before, bounds = number(change.before), wording.signed_span(change.interval)
        moved = f"**{wording.signed(change.value)}**" if change.is_sure else wording.signed(change.value)
    cells = (
        inline(intent.intent_id) + critical,
        number(intent.mean) + low,
        wording.span(intent.sample.interval if intent.sample else None),
        before,
        moved,
        bounds,
        "–" if intent.baseline is None else number(intent.baseline),
        wording.intent_line(intent),
    )
    return f"| {' | '.join(cells)} |\n"


def _verdicts(report: CheckReport) -> str:
    shown = sorted(report.verdicts, key=lambda verdict: verdict not in report.breaches)[:VERDICTS]
    rows = "".join(
        f"| {inline(v.scope)} | {inline(wording.words(v.rule))} | {v.finding.value} | {inline(v.reason)} |\n"
        for v in shown
    )
    return _folded("Verdicts", f"| Scope | Rule | Finding | Reason |\n|---|---|---|---|\n{rows}")


def _conversation(report: CheckReport, excerpt: Excerpt) -> str:
    conversation = excerpt.conversation
    title = f"{wording.conversation_name(conversation)}: {number(conversation.value)}"
    lines = [inline(wording.in_short(conversation), 600)]
    if report.base_url:
        lines.append(f"[On the monitor's page]({wording.page(report.base_url, 'conversations', conversation.id)})")
    failed = [item for item in conversation.score.items if item.passed is False and item.is_on]
    if failed:
        items = [f"- **{inline(item.id)}** {inline(item.reason)}" for item in failed[:FAILED_ITEMS]]
        lines.append("\n".join(items))
    lines.append(block("\n\n".join(_turns(excerpt)), TURNS * TURN_CHARACTERS))
    return _folded(title, "\n\n".join(lines) + "\n")


def _turns(excerpt: Excerpt) -> Iterator[str]:
    turns = excerpt.conversation.transcript.turns
    for turn in turns[:TURNS]:
        text = turn.text if len(turn.text) <= TURN_CHARACTERS else turn.text[:TURN_CHARACTERS] + "…"
        calls = "".join(f"\n[calls {call.name[:200]}]" for call in turn.tool_calls)
        yield f"{turn.role.upper()}: {text}{calls}"
    missing = max(0, len(turns) - TURNS) + excerpt.left_out
    if missing:
        yield f"({missing} more turns)"
    if not turns:
        yield "(nothing was said)"


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{in_html(title)}</summary>\n\n{body}\n</details>\n"


def _end(report: CheckReport) -> str:
    check = code(report.check.id)
    if report.base_url:
        check = f"[{check}]({wording.page(report.base_url, 'checks', report.check.id)})"
    return f"<sub>Check {check}, reported {wording.moment(report.made_at)} by assistant-monitor.</sub>\n"
