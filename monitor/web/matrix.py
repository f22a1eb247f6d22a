"""The conversations of a check as tables: rounds by intents, and how their scores are spread. Knows no HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitor.store import ConversationLine
from monitor.transcript import Outcome

BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One conversation in a table: what became of it in a word, a sign that tells the same, and its tone."""

    line: ConversationLine
    word: str
    sign: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """One intent's conversations by round; None where there is none."""

    intent_id: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """How many values lie in [low, high), or up to 1 in the last; `share` is that of the fullest."""

    low: float
    high: float
    count: int
    share: float


_FAILURES = {Outcome.ASSISTANT_ERROR: "E", Outcome.ASSISTANT_TIMEOUT: "T"}


def cell(line: ConversationLine) -> Cell:
    """What became of one conversation. Its score decides; an outcome speaks where there is none."""
    if sign := _FAILURES.get(line.outcome):
        return Cell(line=line, word=line.outcome.value, sign=sign, tone="bad")
    if line.passed is None:
        is_ours = line.outcome is not Outcome.COMPLETED
        return Cell(line=line, word=line.outcome.value if is_ours else "not scored", sign="?", tone="plain")
    return Cell(
        line=line,
        word="passed" if line.passed else "failed",
        sign="✓" if line.passed else "✗",
        tone="good" if line.passed else "bad",
    )


def final(lines: Iterable[ConversationLine]) -> list[ConversationLine]:
    """Of several attempts at one intent and round the last one: what counts."""
    return list({(line.intent_id, line.round): line for line in sorted(lines, key=lambda one: one.attempt)}.values())


def matrix(lines: Iterable[ConversationLine], intent_ids: Sequence[str]) -> list[MatrixRow]:
    """The conversations that count, of these intents in this order."""
    counting = final(lines)
    rounds = 1 + max((line.round for line in counting), default=-1)
    placed = {(line.intent_id, line.round): cell(line) for line in counting}
    return [
        MatrixRow(intent_id=name, cells=tuple(placed.get((name, number)) for number in range(rounds)))
        for name in intent_ids
    ]


def worst_first(lines: Iterable[ConversationLine]) -> list[ConversationLine]:
    """Lowest value first, then those that say nothing about the assistant."""
    return sorted(lines, key=lambda one: (one.value is None, one.value or 0.0, one.intent_id, one.round, one.attempt))


def spread(lines: Iterable[ConversationLine]) -> list[Bin]:
    """The values of the conversations that count, in tenths; none without a value."""
    values = [line.value for line in final(lines) if line.value is not None]
    if not values:
        return []
    counts = [0] * BINS
    for value in values:
        counts[min(BINS - 1, int(value * BINS + 1e-9))] += 1
    most = max(counts)
    return [
        Bin(low=number / BINS, high=(number + 1) / BINS, count=count, share=count / most)
        for number, count in enumerate(counts)
    ]
