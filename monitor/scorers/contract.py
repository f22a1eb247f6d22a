"""The seam that the checklist, conduct, a judge and the user's side share."""

from __future__ import annotations

from typing import Protocol

from monitor.intent import Intent, JudgeQuestion
from monitor.score import ComponentScore, ItemScore
from monitor.transcript import Transcript


class Scorer(Protocol):
    """Gives one component of the score of a completed conversation."""

    name: str

    async def score(self, intent: Intent, transcript: Transcript) -> ComponentScore:
        """A value in [0, 1], or None with the reason. Raises JudgeFailure when a judge gave no usable answer."""
        ...


class Judge(Protocol):
    """Answers the yes/no questions of a checklist."""

    async def answer(self, question: JudgeQuestion, intent: Intent, transcript: Transcript) -> ItemScore:
        """The share of yes in [0, 1] with evidence. Raises JudgeFailure; no answer is never a number."""
        ...
