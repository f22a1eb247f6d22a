"""The turns of a conversation in stretches: where the words stand that the items of its score quote. Knows no HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from monitor.marking import marked
from monitor.reveal import shorten
from monitor.score import ComponentScore, ItemScore, Score
from monitor.transcript import Turn
from monitor.web.rendering import TURN_CHARACTERS

_WORST = ("failed", "not measured", "off", "passed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One item of a score: how it came out in a word, and the anchor of its place on the page."""

    anchor: str
    item: ItemScore
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A stretch of a turn, and the items that quote it: the worst first."""

    text: str
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn with its number for people, its text in stretches, and the marks whose evidence is in it."""

    number: int
    turn: Turn
    passages: tuple[Passage, ...]
    marks: tuple[Mark, ...]


def components(score: Score) -> list[tuple[ComponentScore, tuple[Mark, ...]]]:
    """The components of a score with their marks. Anchors are numbered: ids may repeat between components."""
    number = count(1)
    return [
        (component, tuple(_mark(item, f"item-{next(number)}") for item in component.items))
        for component in score.components
    ]


def messages(turns: Sequence[Turn], marks: Sequence[Mark]) -> list[Message]:
    """The turns, each with the marks that point to it."""
    return [_message(index, turn, marks) for index, turn in enumerate(turns)]


def _message(index: int, turn: Turn, marks: Sequence[Mark]) -> Message:
    quoted = [(mark, e.quote) for mark in marks for e in mark.item.evidence if e.turn == index]
    text = shorten(turn.text, TURN_CHARACTERS)
    passages = tuple(
        Passage(text=segment.text, marks=_worst_first([quoted[number][0] for number in segment.quotes]))
        for segment in marked(text, [quote for _, quote in quoted])
    )
    of_turn = tuple(mark for mark in marks if any(mark is other for other, _ in quoted))
    return Message(number=index + 1, turn=turn, passages=passages, marks=of_turn)


def _worst_first(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    unique = {mark.anchor: mark for mark in marks}
    return tuple(sorted(unique.values(), key=lambda mark: _WORST.index(mark.state)))


def _mark(item: ItemScore, anchor: str) -> Mark:
    state = {True: "passed", False: "failed", None: "not measured"}[item.passed]
    return Mark(anchor=anchor, item=item, state=state if item.is_on else "off")
