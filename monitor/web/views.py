"""What the pages show, worked out of the stored values: orders, marks and drawings. Knows no HTML and no HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from monitor.calibration import Standing
from monitor.check import CheckRecord, CheckSummary, Conversation, IntentSummary, SuiteSnapshot
from monitor.fidelity import MEASURES, NO_RANGE, PUBLISHED, Fidelity
from monitor.incident import Incident, Notification
from monitor.score import ComponentScore, ItemScore, Score
from monitor.transcript import Turn

TREND_WIDTH = 240
TREND_HEIGHT = 48
TREND_MARGIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The means of a suite's checks as a drawing, oldest left; `dots` are (x, y, whether it is below the threshold)."""

    dots: tuple[tuple[float, float, bool], ...]
    line: str
    threshold_y: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRow:
    """One suite on the overview. `epoch` is that of the trend; `judge` None: no judge takes part."""

    snapshot: SuiteSnapshot
    checks: tuple[CheckRecord, ...]
    trend: Trend | None
    epoch: str | None = None
    judge: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One item of a score: how it came out in a word, and the anchor of its place on the page."""

    anchor: str
    item: ItemScore
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation with its number for people and the marks whose evidence is in it."""

    number: int
    turn: Turn
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line in the timeline of an incident. `check_id` names the check that caused it, if one did."""

    at: datetime
    title: str
    text: str = ""
    check_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure of the simulated users: what it is, its value (None: not measured), and what is published of it."""

    name: str
    meaning: str
    value: float | None
    published: str


def suite_row(snapshot: SuiteSnapshot, checks: Sequence[CheckRecord], judge: Standing | None = None) -> SuiteRow:
    """A suite with its recent checks, newest first. The trend is of the newest one's epoch alone."""
    epoch = checks[0].epoch if checks else None
    same = [c.summary for c in reversed(checks) if c.epoch == epoch and c.summary is not None]
    means = [summary.mean for summary in same if summary.mean is not None]
    trend = draw_trend(means, snapshot.watched.threshold)
    return SuiteRow(snapshot=snapshot, checks=tuple(checks), trend=trend, epoch=epoch, judge=judge)


def draw_trend(means: Sequence[float], threshold: float) -> Trend | None:
    """A drawing of means in [0, 1], oldest first; None with fewer than two, which make no line.

    The top is 1, the bottom a little under the lowest mean or the threshold: a drop is seen, and noise stays small.
    """
    if len(means) < 2:
        return None
    bottom = max(0.0, min(*means, threshold) - 0.1)
    step = (TREND_WIDTH - 2 * TREND_MARGIN) / (len(means) - 1)
    dots = tuple(
        (round(TREND_MARGIN + i * step, 1), _height(mean, bottom), mean < threshold) for i, mean in enumerate(means)
    )
    below = sum(1 for _, _, is_below in dots if is_below)
    return Trend(
        dots=dots,
        line=" ".join(f"{x},{y}" for x, y, _ in dots),
        threshold_y=_height(threshold, bottom),
        text=f"{len(means)} averages from {min(means):.2f} to {max(means):.2f}, {below} of them below {threshold:.2f}",
    )


def worst_intents_first(summary: CheckSummary | None) -> list[IntentSummary]:
    """Lowest mean first, then those without one."""
    intents = summary.intents if summary else ()
    return sorted(intents, key=lambda intent: (intent.mean is None, intent.mean or 0.0, intent.intent_id))


def fidelity_measures(fidelity: Fidelity | None) -> list[Measure]:
    """The measures of a check's users, in the order of `MEASURES`; none where no model played any."""
    if fidelity is None:
        return []
    return [
        Measure(name=name, meaning=meaning, value=getattr(fidelity, name), published=_published(name))
        for name, meaning in MEASURES.items()
    ]


def _published(name: str) -> str:
    known = PUBLISHED.get(name, {})
    return ", ".join(f"{who} {value:.2f}" for who, value in known.items()) or NO_RANGE


def worst_conversations_first(conversations: Iterable[Conversation]) -> list[Conversation]:
    """Lowest value first, then those that say nothing about the assistant."""
    return sorted(conversations, key=lambda c: (c.value is None, c.value or 0.0, c.intent_id, c.round, c.attempt))


def components(score: Score) -> list[tuple[ComponentScore, tuple[Mark, ...]]]:
    """The components of a score with their marks. Anchors are numbered: ids may repeat between components."""
    number = count(1)
    return [
        (component, tuple(_mark(item, f"item-{next(number)}") for item in component.items))
        for component in score.components
    ]


def messages(turns: Sequence[Turn], marks: Sequence[Mark]) -> list[Message]:
    """The turns, each with the marks that point to it."""
    return [
        Message(
            number=index + 1,
            turn=turn,
            marks=tuple(mark for mark in marks if any(e.turn == index for e in mark.item.evidence)),
        )
        for index, turn in enumerate(turns)
    ]


def timeline(incident: Incident, notifications: Iterable[Notification]) -> list[Happening]:
    """Everything that is known about an incident, oldest first."""
    told = [happening for notification in notifications for happening in _delivery(notification)]
    opened = Happening(at=incident.opened_at, title="Opened", text=incident.reason, check_id=incident.opened_by_check)
    happenings = [opened, *told]
    if incident.closed_at is not None:
        text, check_id = incident.close_reason, incident.closed_by_check
        happenings.append(Happening(at=incident.closed_at, title="Closed", text=text, check_id=check_id))
    return sorted(happenings, key=lambda happening: happening.at)


def _mark(item: ItemScore, anchor: str) -> Mark:
    state = {True: "passed", False: "failed", None: "not measured"}[item.passed]
    return Mark(anchor=anchor, item=item, state=state if item.is_on else "off")


def _delivery(notification: Notification) -> list[Happening]:
    """A notification's place in the outbox, and its delivery as a line of its own where there was one."""
    what = f"{notification.kind.capitalize()} message for {notification.channel}"
    tries = f"{notification.attempts} {'attempt' if notification.attempts == 1 else 'attempts'}"
    if notification.sent_at is not None:
        sent = Happening(at=notification.sent_at, title=f"{what}: sent", text=tries)
        return [Happening(at=notification.created_at, title=f"{what}: queued"), sent]
    text = f"{tries}; last error: {notification.last_error}" if notification.last_error else tries
    return [Happening(at=notification.created_at, title=f"{what}: {notification.status}", text=text)]


def _height(mean: float, bottom: float) -> float:
    """The y of a mean, counted from the top as drawings do."""
    share = (1 - mean) / max(1 - bottom, 0.1)
    return round(TREND_MARGIN + share * (TREND_HEIGHT - 2 * TREND_MARGIN), 1)
