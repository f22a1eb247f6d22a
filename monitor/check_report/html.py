"""A report as one HTML file that needs nothing else: no script, no request, its style within and pinned by its hash."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import count

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from monitor import __version__
from monitor.check_report import wording
from monitor.check_report.drawing import draw_difference, draw_trend, reach_of
from monitor.check_report.report import CheckReport, Excerpt
from monitor.marking import Segment, marked
from monitor.reveal import reveal
from monitor.score import ComponentScore, ItemScore
from monitor.transcript import Turn

CHANGES, VERDICTS, INTENTS = 12, 200, 1_000
_TONES = {
    "healthy": "good", "passed": "good", "recovered": "good", "completed": "plain",
    "degraded": "bad", "failed": "bad", "breach": "bad", "assistant_error": "bad", "assistant_timeout": "bad",
    "inconclusive": "warn", "aborted": "warn", "cancelled": "warn", "sick": "bad",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One item of a score, and the anchor of its place in the file."""

    anchor: str
    item: ItemScore
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn: what was said in stretches, each with the states of the items that quote it, and those items."""

    anchor: str
    number: int
    turn: Turn
    stretches: tuple[tuple[str, str], ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One conversation to read."""

    anchor: str
    excerpt: Excerpt
    messages: tuple[Message, ...]
    components: tuple[tuple[ComponentScore, tuple[Mark, ...]], ...]


def render(report: CheckReport) -> str:
    """The file."""
    style = _style()
    reach = reach_of([change for _, change in report.changes])
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            style=Markup(style),  # noqa: S704  our own file
            policy=_policy(style),
            version=__version__,
            sentences=wording.what_changed(report),
            facts=wording.facts(report),
            trend=draw_trend(report.trend, report.threshold),
            changes=[(i, change, draw_difference(change, reach)) for i, change in report.changes[:CHANGES]],
            changes_left=max(0, len(report.changes) - CHANGES),
            intents=report.intents[:INTENTS],
            intents_left=max(0, len(report.intents) - INTENTS),
            verdicts=[*report.breaches, *(v for v in report.verdicts if v not in report.breaches)][:VERDICTS],
            verdicts_left=max(0, len(report.verdicts) - VERDICTS),
            talks=[talk(excerpt, f"c{number}") for number, excerpt in enumerate(report.worst, 1)],
        )
    )


def talk(excerpt: Excerpt, anchor: str) -> Talk:
    """A conversation with its evidence in place."""
    number = count(1)
    components = tuple(
        (
            component,
            tuple(
                Mark(anchor=f"{anchor}-item-{next(number)}", item=item, state=wording.state_of_item(item))
                for item in component.items
            ),
        )
        for component in excerpt.conversation.score.components
    )
    marks = [mark for _, of_component in components for mark in of_component]
    turns = excerpt.conversation.transcript.turns
    return Talk(
        anchor=anchor,
        excerpt=excerpt,
        messages=tuple(_message(index, turn, marks, f"{anchor}-turn-{index + 1}") for index, turn in enumerate(turns)),
        components=components,
    )


def _message(index: int, turn: Turn, marks: Sequence[Mark], anchor: str) -> Message:
    quoted = [(mark, seen.quote) for mark in marks for seen in mark.item.evidence if seen.turn == index]
    segments = marked(turn.text, [quote for _, quote in quoted])
    return Message(
        anchor=anchor,
        number=index + 1,
        turn=turn,
        stretches=tuple((segment.text, _tone_of(segment, [mark for mark, _ in quoted])) for segment in segments),
        marks=tuple(dict.fromkeys(mark for mark, _ in quoted)),
    )


def _tone_of(segment: Segment, marks: Sequence[Mark]) -> str:
    """How a stretch is marked: by the worst of the items that quote it; empty where none does."""
    states = {marks[number].state for number in segment.quotes}
    return next((tone(state) for state in ("failed", wording.NOT_MEASURED, "passed") if state in states), "") or (
        "plain" if states else ""
    )


def tone(word: str) -> str:
    """The colour of a badge."""
    return _TONES.get(word, "plain")


def _policy(style: str) -> str:
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _style() -> str:
    return resources.files("monitor.check_report").joinpath("templates", "report.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("monitor.check_report"),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("number", "signed", "span", "signed_span", "percent", "seconds", "moment", "words", "in_short")
    environment.filters.update({name: getattr(wording, name) for name in names}, tone=tone)
    environment.globals.update(conversation_name=wording.conversation_name, intent_line=wording.intent_line)
    environment.globals.update(page=wording.page)
    return environment


def _finalize(value: object) -> object:
    return reveal(value) if isinstance(value, str) and not isinstance(value, Markup) else value
