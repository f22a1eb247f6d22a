"""Component `task`: whether the assistant did what the intent's checklist asks."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.intent import ChecklistItem, Forbidden, JsonSchema, JudgeQuestion, RequiredFact
from monitor.score import ComponentScore, ItemScore, checklist_value
from monitor.scorers.contract import Answers, Case, Question
from monitor.scorers.items import score_forbidden, score_json_schema, score_required_fact


class Task:
    """A `Scorer`. Without a judge its questions are shown as not measured and left out of the sums."""

    name = "task"

    def questions(self, case: Case) -> Sequence[Question]:
        """Those of the checklist."""
        return [
            Question(id=item.id, text=item.question)
            for item in case.intent.checklist
            if isinstance(item, JudgeQuestion)
        ]

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        """The weighted mean of the items; see `score.checklist_value`."""
        items = tuple([await self._answer(item, case, answers) for item in case.intent.checklist])
        value, reason = checklist_value(items)
        return ComponentScore(name=self.name, value=value, reason=reason, items=items)

    async def _answer(self, item: ChecklistItem, case: Case, answers: Answers) -> ItemScore:
        match item:
            case RequiredFact():
                return score_required_fact(item, case.transcript)
            case Forbidden():
                return score_forbidden(item, case.transcript)
            case JsonSchema():
                return score_json_schema(item, case.transcript)
            case JudgeQuestion():
                return _judged(item, answers)


def _judged(item: JudgeQuestion, answers: Answers) -> ItemScore:
    answer = answers.get(item.id)
    return ItemScore(
        id=item.id,
        kind=item.kind,
        value=answer.value if answer else None,
        reason=answer.reason if answer else "not measured: no judge is configured",
        weight=item.weight,
        critical=item.critical,
        is_on=answer is not None,
        evidence=answer.evidence if answer else (),
    )
