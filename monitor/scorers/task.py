"""Component `task`: whether the assistant did what the intent's checklist asks."""

from __future__ import annotations

from monitor.intent import ChecklistItem, Forbidden, Intent, JsonSchema, JudgeQuestion, RequiredFact
from monitor.score import ComponentScore, ItemScore, checklist_value
from monitor.scorers.contract import Judge
from monitor.scorers.items import score_forbidden, score_json_schema, score_required_fact
from monitor.transcript import Transcript


class Task:
    """A `Scorer`. Without a judge its questions are shown as not measured and left out of the sums."""

    name = "task"

    def __init__(self, judge: Judge | None = None) -> None:
        self._judge = judge

    async def score(self, intent: Intent, transcript: Transcript) -> ComponentScore:
        """The weighted mean of the items; see `score.checklist_value`."""
        items = tuple([await self._answer(item, intent, transcript) for item in intent.checklist])
        value, reason = checklist_value(items)
        return ComponentScore(name=self.name, value=value, reason=reason, items=items)

    async def _answer(self, item: ChecklistItem, intent: Intent, transcript: Transcript) -> ItemScore:
        match item:
            case RequiredFact():
                return score_required_fact(item, transcript)
            case Forbidden():
                return score_forbidden(item, transcript)
            case JsonSchema():
                return score_json_schema(item, transcript)
            case JudgeQuestion() if self._judge is not None:
                return await self._judge.answer(item, intent, transcript)
            case JudgeQuestion():
                return ItemScore(
                    id=item.id,
                    kind=item.kind,
                    value=None,
                    reason="not measured: no judge is configured",
                    weight=item.weight,
                    critical=item.critical,
                    is_on=False,
                )
