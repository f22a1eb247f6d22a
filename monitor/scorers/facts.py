"""The checklist item `required_fact`: whether the assistant said what it had to."""

from __future__ import annotations

import math
from collections.abc import Iterator

from monitor.errors import PatternTooSlow
from monitor.intent import RequiredFact
from monitor.score import Evidence, ItemScore
from monitor.scorers.amounts import amounts
from monitor.scorers.dates import dates
from monitor.scorers.items import QUOTE_CHARACTERS, answered, pattern_hits, replies
from monitor.scorers.numerals import numbers
from monitor.transcript import Transcript

READ_CHARACTERS = 20_000
"""Of a reply's characters, from its first, those in which numbers, dates and amounts are looked for; one that stands
after them is not found, and the reason says so. Patterns are held against all of it.
"""
LONGEST_WORD = 100


def score_required_fact(item: RequiredFact, transcript: Transcript) -> ItemScore:
    """1 when a pattern, the number, the date or the amount occurs in the replies, else 0.

    None when nothing was found and a pattern took too long.
    """
    evidence = next(_values(item, transcript), None)
    try:
        evidence = next(pattern_hits(item.patterns, replies(transcript, item.turns)), evidence)
    except PatternTooSlow as exc:
        if evidence is None:
            return answered(item, None, f"not measured: {exc}")
    if evidence:
        return answered(item, 1.0, "found", (evidence,))
    where = "the last reply" if item.turns == "last" else "any reply"
    limit = f" (of a reply, {READ_CHARACTERS} characters are read)" if _is_cut(item, transcript) else ""
    return answered(item, 0.0, f"not in {where}: {' or '.join(_wanted(item))}{limit}")


def _values(item: RequiredFact, transcript: Transcript) -> Iterator[Evidence]:
    """Where the number, the date and the amount stand."""
    for turn, text in replies(transcript, item.turns):
        for quote in _quotes(item, _beginning(text), transcript, turn):
            yield Evidence(turn=turn, quote=quote[:QUOTE_CHARACTERS])


def _beginning(text: str) -> str:
    """What is read of a text: it ends between words, as half a number is another one."""
    if len(text) <= READ_CHARACTERS:
        return text
    blank = text.rfind(" ", READ_CHARACTERS - LONGEST_WORD, READ_CHARACTERS)
    return text[: blank if blank > 0 else READ_CHARACTERS]


def _is_cut(item: RequiredFact, transcript: Transcript) -> bool:
    has_value = any(value is not None for value in (item.number, item.date, item.amount))
    return has_value and any(len(text) > READ_CHARACTERS for _, text in replies(transcript, item.turns))


def _quotes(item: RequiredFact, text: str, transcript: Transcript, turn: int) -> Iterator[str]:
    if item.number is not None:
        yield from (quote for value, quote in numbers(text) if _same(value, item.number))
    if item.date is not None:
        said_on = transcript.turns[turn].at.date()
        yield from (quote for day, quote in dates(text, said_on) if day == item.date)
    if item.amount is not None:
        found = amounts(text, item.amount.currency)
        yield from (quote for amount, quote in found if _same(amount.number, item.amount.number))


def _wanted(item: RequiredFact) -> list[str]:
    wanted = [f"/{pattern}/" for pattern in item.patterns]
    wanted += [f"the number {item.number:g}"] if item.number is not None else []
    wanted += [f"the date {item.date.isoformat()}"] if item.date is not None else []
    wanted += [f"the amount {item.amount}"] if item.amount is not None else []
    return wanted


def _same(value: float, wanted: float) -> bool:
    return math.isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-9)
