"""What a report says in words and figures, for every format alike. What strangers wrote is in it as it came: each
format makes it inert in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from monitor.check import CheckStatus, Conversation, Group
from monitor.check_report.changes import Z95, Difference
from monitor.check_report.report import CheckReport, Compared, IntentReport, error_share
from monitor.score import ItemScore

NOT_MEASURED = "not measured"
NAMED = 6


def number(value: float | None, digits: int = 2) -> str:
    """Two decimals, or that it was not measured."""
    return NOT_MEASURED if value is None else f"{value:.{digits}f}"


def signed(value: float) -> str:
    """With its sign; what rounds to nothing has none."""
    text = f"{value:+.2f}".replace("-", "−")
    return "0.00" if text in ("+0.00", "−0.00") else text


def span(interval: tuple[float, float] | None) -> str:
    """An interval of a mean."""
    return NOT_MEASURED if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"


def signed_span(interval: tuple[float, float]) -> str:
    """An interval of a difference."""
    return f"{signed(interval[0])} to {signed(interval[1])}"


def percent(share: float | None) -> str:
    """A share in [0, 1]."""
    return NOT_MEASURED if share is None else f"{share:.0%}".replace("%", " %")


def seconds(value: float | None) -> str:
    """A duration in the units that people use for one of its size."""
    if value is None:
        return NOT_MEASURED
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def moment(at: datetime) -> str:
    """A time in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def words(name: str) -> str:
    """A name of the code as words."""
    return name.replace("_", " ")


def standing(report: CheckReport) -> str:
    """How the check ended, in a sentence."""
    check = report.check
    return f"{check.status.value}: {check.reason}" if check.reason else check.status.value


def what_changed(report: CheckReport) -> list[str]:
    """A sentence each, the most important first; what keeps the report from being whole is told too."""
    return [*_kept_back(report), *_moves(report), *_failures(report), *_speed(report), *_doubts(report)]


def _kept_back(report: CheckReport) -> Iterator[str]:
    status = report.check.status
    if status is CheckStatus.RUNNING:
        yield f"The check is still running: {len(report.conversations)} of {report.check.planned} conversations are in."
    elif report.summary is None:
        yield f"The check is {status}: it has no average. What it had stored until then is below."
    if report.retired:
        yield f"{report.retired} of {report.expected} conversations are past their retention and cannot be shown."
    if report.not_compared:
        yield f"Not compared: {report.not_compared}."


def _moves(report: CheckReport) -> Iterator[str]:
    compared = report.compared
    if compared:
        yield _average(compared)
        yield from _intents_that_moved(report)
        yield from _not_the_same(compared)
    if report.baseline:
        difference = report.baseline.difference
        yield (
            f"The baseline of {report.baseline.checks} checks is {difference.before:.2f}: the average is "
            f"{_away(difference)}."
        )


def _average(compared: Compared) -> str:
    before = compared.before
    kind = "the last healthy check" if before.status is CheckStatus.HEALTHY else "the check before, itself degraded"
    since = f"{kind}, of {moment(before.started_at)}"
    difference = compared.difference
    if difference is None:
        return f"No intent of {since} was played unchanged, so that no averages compare."
    if not difference.is_sure:
        return (
            f"The average did not surely move since {since}: {difference.before:.2f} then, {difference.now:.2f} now "
            f"(difference at 95 %: {signed_span(difference.interval)})."
        )
    verb = "fell" if difference.value < 0 else "rose"
    return (
        f"The average {verb} from {difference.before:.2f} to {difference.now:.2f} since {since} "
        f"(difference at 95 %: {signed_span(difference.interval)})."
    )


def _away(difference: Difference) -> str:
    side = "lower" if difference.value < 0 else "higher"
    if not difference.is_sure:
        return f"not surely away from it (difference at 95 %: {signed_span(difference.interval)})"
    return f"{abs(difference.value):.2f} {side} (difference at 95 %: {signed_span(difference.interval)})"


def _intents_that_moved(report: CheckReport) -> Iterator[str]:
    for verb, sign in (("fell", -1), ("rose", 1)):
        moved = [(i, c) for i, c in report.changes if c.is_sure and c.value * sign > 0]
        if moved:
            named = [f"{intent.intent_id} ({change.before:.2f} to {change.now:.2f})" for intent, change in moved]
            yield f"{_count(len(moved), 'intent')} surely {verb}: {_listed(named)}."
    if report.changes and not any(change.is_sure for _, change in report.changes):
        yield f"Of {_count(len(report.changes), 'intent')} by itself none surely moved."


def _not_the_same(compared: Compared) -> Iterator[str]:
    for names, what in (
        (compared.edited, "changed since and not compared"),
        (compared.added, "new"),
        (compared.gone, "played no more"),
    ):
        if names:
            yield f"{_count(len(names), 'intent')} {what}: {_listed(names)}."
    if compared.is_unknown:
        yield "Which intents are the same was not stored by one of the two checks; those are not compared."


def _failures(report: CheckReport) -> Iterator[str]:
    summary = report.summary
    before = report.compared.before.summary if report.compared else None
    if summary is None or not summary.valid or not (report.error_count or error_share(before)):
        return
    then = f", {percent(error_share(before))} before" if before else ""
    share = percent(error_share(summary))
    yield f"The assistant failed to hold {report.error_count} of {summary.valid} conversations ({share}{then})."


def _speed(report: CheckReport) -> Iterator[str]:
    now = report.summary.latency_seconds if report.summary else None
    before = report.compared.before.summary if report.compared else None
    then = before.latency_seconds if before else None
    if now is not None and then is not None:
        yield f"A reply took {seconds(now)} in the median, {seconds(then)} before."


def _doubts(report: CheckReport) -> Iterator[str]:
    run = report.canaries
    if run and run.is_sick:
        yield f"The monitor's own canaries of {moment(run.at)} call its scores sick: {run.reason}."


def facts(report: CheckReport) -> list[tuple[str, str]]:
    """Names and values, the most important first."""
    return [*_figures(report), *_origins(report)]


def _figures(report: CheckReport) -> Iterator[tuple[str, str]]:
    summary = report.summary
    yield "Average", number(summary.mean if summary else None)
    yield "For these intents (95 %)", span(report.sample.interval if report.sample else None)
    clustered = summary.clustered_error if summary else None
    yield "For users at large (95 %)", NOT_MEASURED if clustered is None else f"± {Z95 * clustered:.2f}"
    yield "Threshold", "unknown" if report.threshold is None else f"{report.threshold:.2f}"
    if summary is None:
        yield "Planned conversations", str(report.check.planned)
        return
    yield "Average without errors", number(summary.mean_scored)
    yield "Passed", percent(summary.success_rate)
    yield "Valid conversations", f"{summary.valid} of {summary.planned}"
    yield "Errors of the assistant", f"{report.error_count} ({percent(error_share(summary))})"
    yield "Reply in the median", seconds(summary.latency_seconds)
    yield "Turns on average", number(summary.average_turns, 1)
    yield from _groups((("Users kept to the intent", summary.in_spec), ("Users went beyond it", summary.out_of_spec)))


def _groups(groups: Sequence[tuple[str, Group | None]]) -> Iterator[tuple[str, str]]:
    for name, group in groups:
        if group:
            yield name, f"{number(group.mean)} over {group.conversations}"


def _origins(report: CheckReport) -> Iterator[tuple[str, str]]:
    check, run = report.check, report.canaries
    yield "Started", moment(check.started_at)
    yield "Took", "still running" if report.is_running else seconds(check.duration_seconds)
    if report.summary:
        yield "Rounds", NOT_MEASURED if report.summary.rounds is None else str(report.summary.rounds)
    yield "Asked for by", words(check.trigger)
    yield "Epoch", check.epoch or "unknown"
    yield "Seed", str(check.seed)
    state = "off" if report.canary_state is None else report.canary_state.value
    yield "Canaries", f"{state} (scored {moment(run.at)})" if run and report.canary_state else state
    yield "Judge", "none took part" if report.judge is None else report.judge.value


def intent_line(intent: IntentReport) -> str:
    """How often an intent passed, of how many that say something; errors are named."""
    errors = f", {_count(intent.errors, 'error')}" if intent.errors else ""
    return f"{intent.passed} of {intent.valid} passed{errors}"


def in_short(conversation: Conversation) -> str:
    """Why the conversation is worth no more: how it failed, or the items that did."""
    transcript, score = conversation.transcript, conversation.score
    if score.value is None:
        return f"{words(transcript.outcome)}: {transcript.detail or score.reason or words(transcript.end)}"
    failed = [f"{item.id}: {item.reason}" for item in score.items if item.passed is False and item.is_on]
    return "; ".join(failed) or score.reason or "every item holds"


def state_of_item(item: ItemScore) -> str:
    """How an item came out, in a word."""
    if not item.is_on:
        return "off"
    return {True: "passed", False: "failed", None: NOT_MEASURED}[item.passed]


def conversation_name(conversation: Conversation) -> str:
    """Which conversation of the check it is."""
    return f"{conversation.intent_id}, round {conversation.round}"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def page(base_url: str, *parts: str) -> str:
    """The address of a page of the monitor."""
    return "/".join([base_url.rstrip("/"), *(quote(part, safe="") for part in parts)])
