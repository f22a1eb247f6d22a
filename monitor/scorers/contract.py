"""The seams of scoring: what is scored, what a component gives, and what a judge is asked and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from monitor.intent import Intent
from monitor.judge_usage import JudgeUsage
from monitor.score import ComponentScore, Evidence, ItemScore
from monitor.transcript import Foreseen, Transcript, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A conversation to be scored. `conversation_id` is what the assistant knows it by; empty: from elsewhere.

    `hidden`: by the id of a forbidden item, where it was said in a text that redaction has since replaced. `is_fresh`:
    the conversation has just ended, so that the state of the world is still of its making; later there is only what
    was `known` then, by the id of a state item, or of a tool_call item that was not measured then. `hears_reports`:
    tool calls that were reported while it went on could reach the monitor.
    """

    intent: Intent
    transcript: Transcript
    conversation_id: str = ""
    hidden: Mapping[str, tuple[Evidence, ...]] = field(default_factory=dict)
    is_fresh: bool = False
    known: Mapping[str, ItemScore] = field(default_factory=dict)
    hears_reports: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A yes/no question, decidable from the transcript alone; yes is good. Ids differ within one conversation."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The share of yes in [0, 1], why, and where it was seen."""

    value: float
    reason: str
    evidence: tuple[Evidence, ...] = ()


Answers = Mapping[str, Answer]
"""By the id of the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """An answer for each question that was asked, and what that took."""

    answers: Answers
    usage: JudgeUsage


class UserProbe(Protocol):
    """A user model that tells how likely given next user turns are."""

    async def foresee(
        self, intent: Intent, turns: Sequence[Turn], texts: Sequence[str], *, conversation: str
    ) -> Foreseen:
        """Of `texts` after `turns`. Raises CompletionFailure or EngineFailure."""
        ...


class Scorer(Protocol):
    """Gives one component of the score of a completed conversation."""

    name: str

    def questions(self, case: Case) -> Sequence[Question]:
        """What a judge must be asked before the component can be scored. Without a judge they are not answered."""
        ...

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        """A value in [0, 1], or None with the reason. `answers` holds all questions, or none: there is no judge."""
        ...


class Judge(Protocol):
    """Answers questions about a conversation."""

    is_sampled: bool
    """Whether one answer is one draw, so that a close call is worth asking about again."""

    async def ask(self, questions: Sequence[Question], case: Case, *, seed: int) -> Judgement:
        """One answer for each. Raises JudgeFailure: no answer is never a number."""
        ...
