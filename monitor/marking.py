"""Where the words that a score quotes stand in a text. Pure; knows nothing of turns and pages."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

LONGEST_QUOTE = 2_000
"""Longer ones are looked for by their beginning."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a text, and the numbers of the quotes that it is part of."""

    text: str
    quotes: tuple[int, ...] = ()


def marked(text: str, quotes: Sequence[str]) -> tuple[Segment, ...]:
    """The text in stretches; joined they are the text again. Quotes may overlap. One that is not found marks nothing,
    as a measured time is quoted of a turn too; one that stands there twice is marked at its first place.

    A quote is looked for as it is, or else with other white space and letters of the other case.
    """
    plain = _Plain(text)
    spans = [_exact(text, quote[:LONGEST_QUOTE]) or plain.find(quote[:LONGEST_QUOTE]) for quote in quotes]
    edges = sorted({0, len(text), *(edge for span in spans if span for edge in span)})
    return tuple(
        Segment(text[start:end], tuple(n for n, span in enumerate(spans) if span and span[0] <= start < span[1]))
        for start, end in pairwise(edges)
    )


def _exact(text: str, quote: str) -> tuple[int, int] | None:
    start = text.find(quote) if quote.strip() else -1
    return (start, start + len(quote)) if start >= 0 else None


class _Plain:
    """A text in small letters with one blank between words, and where each word stands in the text itself. Made when it
    is first needed. Searched as a plain string: a pattern would try a hostile text at each of its letters anew.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def find(self, quote: str) -> tuple[int, int] | None:
        """The first place of the quote in the text itself."""
        wanted = " ".join(_small(quote).split())
        start = self._words.find(wanted) if wanted else -1
        return (self._place(start), self._place(start + len(wanted) - 1) + 1) if start >= 0 else None

    def _place(self, index: int) -> int:
        """Where a letter of `_words` stands in the text."""
        word = bisect_right(self._starts, index) - 1
        return self._places[word] + index - self._starts[word]

    @cached_property
    def _found(self) -> list[re.Match[str]]:
        return list(re.finditer(r"\S+", _small(self._text)))

    @cached_property
    def _words(self) -> str:
        return " ".join(match[0] for match in self._found)

    @cached_property
    def _places(self) -> list[int]:
        return [match.start() for match in self._found]

    @cached_property
    def _starts(self) -> list[int]:
        """Where each word begins in `_words`."""
        return list(accumulate((len(match[0]) + 1 for match in self._found[:-1]), initial=0))


def _small(text: str) -> str:
    """In small letters, and as long as it was: a letter that would become two stays, and there is one small sigma."""
    small = text.lower()
    if len(small) != len(text):
        small = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    return small.replace("ς", "σ")
