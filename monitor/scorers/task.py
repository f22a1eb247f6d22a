"""Component `task`: whether the assistant did what the intent's checklist asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.intent import ChecklistItem, Forbidden, JsonSchema, JudgeQuestion, RequiredFact, State, ToolCalls
from monitor.score import ComponentScore, ItemScore, checklist_value
from monitor.scorers.arguments import Redact
from monitor.scorers.contract import Answers, Case, Question
from monitor.scorers.facts import score_required_fact
from monitor.scorers.items import answered, score_forbidden
from monitor.scorers.json_items import score_json_schema
from monitor.scorers.state import Sources, score_state
from monitor.scorers.tool_calls import has_further, score_tool_calls


class Task:
    """A `Scorer`. Without a judge its questions are shown as not measured and left out of the sums.

    `sources`: the systems that items of the kind `state` ask; `redact` hides what must not be stored.
    """

    name = "task"

    def __init__(self, sources: Sources | None = None, redact: Redact = str) -> None:
        self._sources: Sources = sources or {}
        self._redact = redact

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
                return score_forbidden(item, case.transcript, case.hidden.get(item.id, ()))
            case JsonSchema():
                return score_json_schema(item, case.transcript)
            case ToolCalls():
                return _called(item, case, self._redact)
            case State():
                return await score_state(item, case, self._sources, self._redact)
            case JudgeQuestion():
                return _judged(item, answers)


def _called(item: ToolCalls, case: Case, redact: Redact) -> ItemScore:
    """What the transcript says, where it can say it: reports that could not be heard may have been the calls."""
    if known := case.known.get(item.id):
        return replace(known, weight=item.weight, critical=item.critical)
    scored = score_tool_calls(item, case.transcript, redact)
    is_sure = has_further(item, case.transcript, redact) or (scored.passed and not item.only)
    if case.hears_reports or not item.wait_seconds or is_sure:
        return scored
    why = "no report of a tool call could reach the monitor, as only a running daemon with server.pages takes them"
    return answered(item, None, f"not measured: {why}", is_on=False)


def _judged(item: JudgeQuestion, answers: Answers) -> ItemScore:
    answer = answers.get(item.id)
    if answer is None:
        return answered(item, None, "not measured: no judge is configured", is_on=False)
    return answered(item, answer.value, answer.reason, answer.evidence)
