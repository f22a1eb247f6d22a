"""Finds the answer to a customer's question among the shop's frequent questions.

It knows words, not meanings: a question is matched by its rare words, misspelt ones included. Nothing here knows HTTP.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files

from rapidfuzz import fuzz, process
from ruamel.yaml import YAML

# A word of one entry or two reaches this by itself; measures, and words that many entries share, do not.
CUT_OFF = 2.4
MEASURE_WEIGHT = 0.2
TYPO_RATIO = 83
SHORTEST_TYPO = 5
EARLIER_WEIGHT = 0.4
# What is sold comes up under every topic, so it tells none apart.
_GOODS = "backpack backpacks boot boots gear jacket jackets pair pairs shoe shoes tent tents"
_MEASURES = "charge cost costs day days deadline fast hour hours long much many pay price take takes time year years"
_EVERYDAY = """
    a about all also am an and any anything are as ask at be been bought but buy by can cant could did do does
    doing dont for from get give gives go going had has have having hello help hey hi hm hmm how i if in info
    information is it item items its just know let like looking make may me more my need new no not of oh ok
    okay on one or our out please product products question really shop shopping should so some something still
    store tell than thank thanks that the their them then there these they this those to too until up us use
    want wanted was we well were what when where which who why will with would yeah yes you your yours
"""
_STOP_WORDS = frozenset((_GOODS + _EVERYDAY).split())


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One topic: the phrasings and keywords it is found by, and its answer in several wordings."""

    id: str
    topic: str
    questions: tuple[str, ...]
    keywords: tuple[str, ...]
    answers: tuple[str, ...]

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The words that point to this entry."""
        return words(" ".join((self.topic, *self.questions, *self.keywords)))


@dataclass(frozen=True, kw_only=True)
class Faq:
    """All entries of the shop, searchable."""

    shop: str
    entries: tuple[Entry, ...]

    def find(self, turns: Sequence[str]) -> Entry | None:
        """The entry that the last of the customer's `turns` is about; None when even all turns together say too little.

        A turn that names its topic speaks for itself; "and how much is it?" stays on the topic of the turns before.
        """
        newest, *earlier = [self._scores(turn) for turn in reversed(turns)]
        total = [sum(scores) for scores in zip(newest, *earlier, strict=True)]
        if max(newest) >= CUT_OFF:
            return self.entries[_highest(newest, total)]
        faded = [own + EARLIER_WEIGHT * (whole - own) for own, whole in zip(newest, total, strict=True)]
        best = _highest(faded, total)
        return self.entries[best] if total[best] >= CUT_OFF else None

    def off_by_one(self) -> Faq:
        """The same questions, each with the answers of the entry after it: a rebuild that shifted a column."""
        shifted = (*self.entries[1:], self.entries[0])
        pairs = zip(self.entries, shifted, strict=True)
        return replace(self, entries=tuple(replace(entry, answers=other.answers) for entry, other in pairs))

    @cached_property
    def _rarity(self) -> dict[str, float]:
        shared_by = Counter(word for entry in self.entries for word in entry.vocabulary)
        measures = dict.fromkeys(_MEASURES.split(), MEASURE_WEIGHT)
        return {word: measures.get(word, 1) * math.log(1 + len(self.entries) / n) for word, n in shared_by.items()}

    def _scores(self, turn: str) -> list[float]:
        known = {self._spelt(word) for word in words(turn)}
        return [
            sum(self._rarity[word] for word in known & entry.vocabulary)
            * (1 + max(fuzz.token_sort_ratio(turn, question) for question in entry.questions) / 100)
            for entry in self.entries
        ]

    def _spelt(self, word: str) -> str:
        """The word of the vocabulary that `word` is, or is most probably meant to be."""
        if word in self._rarity or len(word) < SHORTEST_TYPO:
            return word
        match = process.extractOne(word, sorted(self._rarity), scorer=fuzz.ratio, score_cutoff=TYPO_RATIO)
        return match[0] if match else word


def _highest(scores: Sequence[float], tie_break: Sequence[float]) -> int:
    return max(range(len(scores)), key=lambda position: (scores[position], tie_break[position]))


def words(text: str) -> frozenset[str]:
    """The words of `text` that can tell one topic from another."""
    return frozenset(re.findall(r"[a-z]+", text.lower())) - _STOP_WORDS


def load_faq() -> Faq:
    """The shop's own questions and answers, from the file beside this module."""
    data = YAML(typ="safe").load((files(__package__) / "faq.yaml").read_text(encoding="utf-8"))
    entries = tuple(
        Entry(
            id=raw["id"],
            topic=raw["topic"],
            questions=tuple(raw["questions"]),
            keywords=tuple(raw["keywords"]),
            answers=tuple(raw["answers"]),
        )
        for raw in data["entries"]
    )
    return Faq(shop=data["shop"], entries=entries)
