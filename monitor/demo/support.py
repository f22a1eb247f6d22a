"""What the shop's support assistant says next, given what was said.

It finds answers in the index that is in service, the broken one included. It does not know HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from monitor.demo.faq import Entry, Faq, words

_THANKS = re.compile(r"\b(?:thanks?|thx|bye|goodbye)\b", re.IGNORECASE)


class Said(NamedTuple):
    """One message of the conversation so far."""

    role: str
    text: str


class SupportAssistant:
    """Answers from one of two indexes of the shop's questions; the same conversation always gets the same reply."""

    def __init__(self, faq: Faq) -> None:
        self._indexes = {"good": faq, "broken": faq.off_by_one()}
        self._faq = faq
        self.index = "good"
        self.version = 1

    @property
    def indexes(self) -> tuple[str, ...]:
        """The names that can be deployed."""
        return tuple(self._indexes)

    def deploy(self, index: str) -> None:
        """Answer from one of `indexes` from now on."""
        self._faq = self._indexes[index]
        self.index = index
        self.version += 1

    def reply(self, conversation: Sequence[Said]) -> str:
        """The next message to the customer, who has said at least one thing."""
        asked = [said.text for said in conversation if said.role == "user"]
        told = [said.text for said in conversation if said.role == "assistant"]
        if _THANKS.search(asked[-1]) and not words(asked[-1]):
            return "You're welcome! Have a good time outdoors."
        entry = self._faq.find(asked)
        return _ask_back(self._faq, told) if entry is None else _answer(entry, told)


def _answer(entry: Entry, told: Sequence[str]) -> str:
    """The entry's answer, worded differently each time that the customer comes back to it."""
    times = sum(text in entry.answers for text in told)
    return entry.answers[times % len(entry.answers)]


def _ask_back(faq: Faq, told: Sequence[str]) -> str:
    """A question that names one half of the topics, and the other half when it has to be asked again."""
    half = len(told) % 2
    topics = ", ".join(entry.topic for entry in faq.entries[half::2])
    if half:
        return f"Is it perhaps about one of these: {topics}? A few more words would help me."
    return f"Hello from {faq.shop}! What would you like to know? I can tell you about {topics}."
