"""A judge that answers in strict JSON: all questions in one call, in an order drawn anew, each under an id drawn anew.

Ids that nobody could know before keep answers that the transcript itself suggests from being taken for the judge's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

from monitor.assistants.chat_answer import read_completion
from monitor.errors import AssistantFailure, JudgeFailure, JudgeRefused
from monitor.judge_usage import JudgeUsage
from monitor.scorers.contract import Answer, Answers, Case, Judgement, Question
from monitor.scorers.judge.record import Record, Redact, record
from monitor.scorers.judge.server import JudgeServer, Said
from monitor.scorers.judge.verdicts import Verdict, read_verdicts, schema_of
from monitor.seeds import derive
from monitor.text import fold_whitespace, printable

ATTEMPTS = 2
TOKENS_PER_ANSWER = 200
REASON_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """One call: the questions by the ids that they have in it, in its order, and what they are about."""

    questions: Mapping[str, Question]
    shown: Record


class JsonJudge:
    """A `Judge`. `template` is the prompt (`config/prompts/judge_items_json.txt`), `redact` replaces secrets.

    The server is asked to hold its answer to a schema, or to JSON at least; what it refuses is left out.
    """

    is_sampled = True

    def __init__(self, server: JudgeServer, template: str, *, redact: Redact, max_characters: int) -> None:
        self._server = server
        self._template = Template(template)
        self._redact = redact
        self._max_characters = max_characters
        self._form = 0

    async def ask(self, questions: Sequence[Question], case: Case, *, seed: int) -> Judgement:
        """One answer for each. Raises JudgeFailure."""
        usage: JudgeUsage | None = None
        problem = ""
        for attempt in range(ATTEMPTS):
            sheet = self._sheet(questions, case, derive(seed, "sheet", attempt))
            try:
                said = await self._say(sheet)
            except JudgeFailure as exc:
                exc.add_usage(usage)
                raise
            usage = said.usage if usage is None else usage + said.usage
            if said.value is not None:
                return Judgement(answers=_answers(sheet, said.value), usage=usage)
            problem = said.problem
        raise JudgeFailure(f"the judge gave no usable answer, twice: {problem}", usage)

    def _sheet(self, questions: Sequence[Question], case: Case, seed: int) -> _Sheet:
        order = sorted(questions, key=lambda question: derive(seed, question.id))
        return _Sheet(
            questions={f"q{number}-{derive(seed, number) % 16**6:06x}": one for number, one in enumerate(order, 1)},
            shown=record(case, seed=seed, redact=self._redact, limit=self._max_characters),
        )

    async def _say(self, sheet: _Sheet) -> Said[Mapping[str, Verdict]]:
        """The answer in the strictest form that the server takes. Raises JudgeFailure."""
        ids = list(sheet.questions)
        forms: list[dict[str, Any]] = [
            {"response_format": {"type": "json_schema", "json_schema": schema_of(ids)}},
            {"response_format": {"type": "json_object"}},
            {},
        ]
        body = self._body(sheet)
        refusal: JudgeRefused | None = None
        for number in range(self._form, len(forms)):
            try:
                said = await self._server.ask(body | forms[number], lambda document: _verdicts(document, ids))
            except JudgeRefused as exc:
                refusal = exc
            else:
                self._form = max(self._form, number)
                return said
        assert refusal is not None, "every form was tried"
        raise refusal

    def _body(self, sheet: _Sheet) -> dict[str, Any]:
        listed = [
            json.dumps({"id": id_, "question": fold_whitespace(question.text)}, ensure_ascii=False)
            for id_, question in sheet.questions.items()
        ]
        prompt = self._template.substitute(
            fence=sheet.shown.fence, record=sheet.shown.text, questions="\n".join(listed), count=len(listed)
        )
        return {
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0.0,
            "max_tokens": TOKENS_PER_ANSWER * (1 + len(listed)),
        }


def _verdicts(document: object, ids: Sequence[str]) -> Mapping[str, Verdict]:
    """Raises ValueError for an answer that is not in the form that was asked for."""
    try:
        answer = read_completion(document)
    except AssistantFailure as exc:
        raise ValueError(str(exc)) from exc
    return read_verdicts(answer.text, ids)


def _answers(sheet: _Sheet, verdicts: Mapping[str, Verdict]) -> Answers:
    return {question.id: _answer(verdicts[id_], sheet.shown) for id_, question in sheet.questions.items()}


def _answer(verdict: Verdict, shown: Record) -> Answer:
    """A quote that was never said is no evidence; the verdict stands."""
    found = shown.find(verdict.quote, verdict.turn)
    is_invented = verdict.quote.strip() and found is None
    note = " (the judge's quote is not in the transcript)" if is_invented else ""
    return Answer(
        value=1.0 if verdict.is_yes else 0.0,
        reason=printable(verdict.reason, REASON_CHARACTERS) + note + shown.cut_note,
        evidence=(found,) if found else (),
    )
