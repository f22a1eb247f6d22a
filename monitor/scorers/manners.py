"""What can be counted in an assistant's replies: repetition, questions, lengths. Knows nothing of penalties."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, pstdev

from monitor.text import shingles, words

COMPARED_CHARACTERS = 8_000
COMPARED_REPLIES = 20
"""Only so many newest replies are held against each other: pairs grow with the square."""
FULL_LENGTH = 12
"""Words from which a reply counts as a full one."""
ASKED_AGAIN = 0.6
"""Overlap of two questions' words from which they are the same."""
SHORTEST_QUESTION = 3
MOST_QUESTIONS = 20
OPENING_WORDS = 3
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
_WIDE = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_OFFER = re.compile(
    r"\banything else\b|\b(?:can|may|could|do) i (?:help|assist|do)\b|\b(?:help|assist) you\b|\bquestions?\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """Counts over one conversation's replies, as shares in [0, 1] where nothing else is said.

    `reuse[i]`: of the pairs of neighbouring words in the i-th reply after the first, the share that one earlier reply
    has too; `asked_again[i]`: whether that reply asks a question that one before it asked. Offers of more help count
    for neither. `shortest_reply`, `last_reply` and `length_spread` are in words; `thin`: how far the replies, those to
    a question aside, fall short of 12 words.
    """

    reuse: tuple[float, ...]
    overlaps: tuple[float, ...]
    asked_again: tuple[bool, ...]
    same_openings: float
    distinct_words: float
    words_per_reply: float
    shortest_reply: float
    last_reply: float
    length_spread: float
    thin: float
    questions_per_reply: float
    sentences_per_reply: float
    echo: float


def manners(replies: Sequence[str], heard: Sequence[str]) -> Manners:
    """Count over `replies` (at least one); `heard[i]` is what the user said before the i-th."""
    said = [text[:COMPARED_CHARACTERS] for text in replies[-COMPARED_REPLIES:]]
    before = [text[:COMPARED_CHARACTERS] for text in heard[-COMPARED_REPLIES:]]
    openings = [tuple(words(text)[:OPENING_WORDS]) for text in said]
    spoken = [word for text in said for word in words(text)]
    lengths = [length(text) for text in said]
    return Manners(
        reuse=tuple(_reuse(said)),
        overlaps=tuple(_overlap(one, other) for one, other in combinations(map(_different, said), 2)),
        asked_again=tuple(_asked_again(said)),
        same_openings=1 - len(set(openings)) / len(openings),
        distinct_words=len(set(spoken)) / len(spoken) if spoken else 1.0,
        words_per_reply=fmean(lengths),
        shortest_reply=min(lengths),
        last_reply=lengths[-1],
        length_spread=pstdev(lengths),
        thin=fmean(
            0.0 if "?" in user else max(0.0, 1 - count / FULL_LENGTH)
            for user, count in zip(before, lengths, strict=True)
        ),
        questions_per_reply=fmean(text.count("?") for text in said),
        sentences_per_reply=fmean(len(_sentences(text)) for text in said),
        echo=fmean(_echo(text, user) for text, user in zip(said, before, strict=True)),
    )


def length(text: str) -> float:
    """Words of a text; in scripts that write no spaces two characters are one."""
    wide = len(_WIDE.findall(text))
    return len(words(_WIDE.sub(" ", text))) + wide / 2


def _reuse(said: Sequence[str]) -> list[float]:
    runs = [shingles(_without_offers(text), 2) for text in said]
    return [
        max(len(mine & earlier) / len(mine) for earlier in runs[:place]) if mine else 0.0
        for place, mine in enumerate(runs)
        if place
    ]


def _without_offers(text: str) -> str:
    """A reply without the formula that it closes with, if there is more to it."""
    return " ".join(part for part in _sentences(text) if not _OFFER.search(part)) or text


def _different(text: str) -> frozenset[str]:
    return frozenset(words(text))


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard's; 0 when either is empty."""
    return len(one & other) / len(one | other) if one and other else 0.0


def _asked_again(said: Sequence[str]) -> list[bool]:
    asked: list[frozenset[str]] = []
    found: list[bool] = []
    for place, text in enumerate(said):
        now = _questions(text)
        if place:
            found.append(any(_overlap(one, other) >= ASKED_AGAIN for one in now for other in asked))
        asked += now
    return found


def _questions(text: str) -> list[frozenset[str]]:
    """The words of the first questions of a reply."""
    asked = [sentence for sentence in _sentences(text) if sentence.endswith("?") and not _OFFER.search(sentence)]
    return [found for found in map(_different, asked[:MOST_QUESTIONS]) if len(found) >= SHORTEST_QUESTION]


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE.findall(text) if words(part)]


def _echo(text: str, user: str) -> float:
    """The share of the reply's different words that the user had just used."""
    mine = set(words(text))
    return len(mine & set(words(user))) / len(mine) if mine else 0.0
