"""Component `quality`: six general yes/no questions to a judge, equal weights.

Two measures are kept by name among its signals: `coherence` (no self-contradiction, remembers, keeps its role) and
`helpfulness` (addresses the last message, no unjustified refusal, a clear end).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from monitor.score import ComponentScore, ItemScore
from monitor.scorers.contract import Answer, Answers, Case, Question

MEASURES = {
    "coherence": ("no_self_contradiction", "remembers", "keeps_role"),
    "helpfulness": ("addresses_last_message", "no_unjustified_refusal", "clear_end"),
}
ITEMS = (
    "addresses_last_message",
    "no_self_contradiction",
    "remembers",
    "no_unjustified_refusal",
    "keeps_role",
    "clear_end",
)
REFUSAL_IS_RIGHT = "refusal_is_right"
PREFIX = "quality."
"""Of the ids of its questions: no item of a checklist has a dot in its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityQuestions:
    """The words of the six questions by item, and what is added where a refusal is the right answer."""

    texts: Mapping[str, str]
    refusal_is_right: str


def read_questions(text: str) -> QualityQuestions:
    """From lines `item: question`; blank ones and those that begin with # say nothing. Raises ValueError."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    texts = {name.strip(): words.strip() for name, _, words in (line.partition(":") for line in lines)}
    wanted = {*ITEMS, REFUSAL_IS_RIGHT}
    if texts.keys() != wanted or not all(texts.values()) or len(texts) != len(lines):
        raise ValueError(f"the questions of quality must be one line each for {', '.join([*ITEMS, REFUSAL_IS_RIGHT])}")
    return QualityQuestions(texts={item: texts[item] for item in ITEMS}, refusal_is_right=texts[REFUSAL_IS_RIGHT])


class Quality:
    """A `Scorer`. Without a judge it has no value."""

    name = "quality"

    def __init__(self, questions: QualityQuestions) -> None:
        self._questions = questions

    def questions(self, case: Case) -> Sequence[Question]:
        """The six of them."""
        note = "" if case.intent.allowed else f" {self._questions.refusal_is_right}"
        return [Question(id=PREFIX + item, text=text + note) for item, text in self._questions.texts.items()]

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        """The mean of the six answers."""
        del case
        if PREFIX + ITEMS[0] not in answers:
            return ComponentScore(name=self.name, value=None, reason="not measured: no judge is configured")
        items = tuple(_item(item, answers[PREFIX + item]) for item in ITEMS)
        values = {item.id: item.value or 0.0 for item in items}
        signals = {name: fmean(values[item] for item in parts) for name, parts in MEASURES.items()}
        return ComponentScore(name=self.name, value=fmean(values.values()), items=items, signals=signals)


def _item(item: str, answer: Answer) -> ItemScore:
    return ItemScore(id=item, kind="quality", value=answer.value, reason=answer.reason, evidence=answer.evidence)
