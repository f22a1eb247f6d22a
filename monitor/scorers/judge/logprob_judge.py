"""A judge that gives log-probabilities: one question a call, one token an answer, no chain of thought.

The answer is P(yes) / (P(yes) + P(no)) over all spellings of both among the most probable tokens.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from functools import reduce
from operator import add
from string import Template
from typing import NamedTuple

from monitor.errors import JudgeFailure
from monitor.judge_usage import JudgeUsage
from monitor.scorers.contract import Answer, Case, Judgement, Question
from monitor.scorers.judge.record import Record, Redact, record
from monitor.scorers.judge.server import JudgeServer
from monitor.text import fold_whitespace

TOP_LOGPROBS = 20
LEAST_MASS = 0.5
"""With less of the probability on yes and no together the model answers something else."""
SLACK = 1e-3
"""How far rounding may carry a probability over 1."""
LOWEST = -1000.0
"""A log-probability that is as good as never; servers write -9999 or -infinity."""
ATTEMPTS = 2
_AROUND = " \t\r\n\"'`*_.,:;!()[]{}<>\u0120\u2581\u010a"
"""What a token may have around a word: quotes, marks, and how tokenizers write blanks and line ends."""


class LogprobJudge:
    """A `Judge`. `template` is the prompt (`config/prompts/judge_item.txt`), `redact` replaces secrets."""

    is_sampled = False

    def __init__(self, server: JudgeServer, template: str, *, redact: Redact, max_characters: int) -> None:
        self._server = server
        self._template = Template(template)
        self._redact = redact
        self._max_characters = max_characters

    async def ask(self, questions: Sequence[Question], case: Case, *, seed: int) -> Judgement:
        """One answer for each, in calls of their own. Raises the first JudgeFailure; the other calls are given up."""
        # One fence for all: servers compute what prompts begin with alike only once.
        shown = record(case, seed=seed, redact=self._redact, limit=self._max_characters)
        usages: list[JudgeUsage] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._answer(question, shown, usages)) for question in questions]
        except ExceptionGroup as several:
            failure = several.exceptions[0]
            if isinstance(failure, JudgeFailure) and usages:
                failure.add_usage(reduce(add, usages))
            raise failure from several
        answers = {question.id: task.result() for question, task in zip(questions, tasks, strict=True)}
        return Judgement(answers=answers, usage=reduce(add, usages))

    async def _answer(self, question: Question, shown: Record, usages: list[JudgeUsage]) -> Answer:
        """One answer; what each call took is put into `usages`. Raises JudgeFailure."""
        prompt = self._template.substitute(
            fence=shown.fence, record=shown.text, question=fold_whitespace(question.text)
        )
        body = {
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": True,
            "top_logprobs": TOP_LOGPROBS,
        }
        problem = ""
        for _ in range(ATTEMPTS):
            said = await self._server.ask(body, read_share)
            usages.append(said.usage)
            if said.value is not None:
                return _judged(question, said.value, shown)
            problem = said.problem
        raise JudgeFailure(f"the judge gave no usable answer to {question.id}, twice: {problem}")


class Share(NamedTuple):
    """P(yes) and P(no)."""

    yes: float
    no: float


def read_share(document: object) -> Share:
    """What the first token of a completion may be. Raises ValueError when it has no usable log-probabilities."""
    try:
        entry = document["choices"][0]["logprobs"]["content"][0]  # type: ignore[index]
        entries = [(alternative["token"], alternative["logprob"]) for alternative in entry["top_logprobs"]]
        drawn = entry["token"], entry["logprob"]
    except (KeyError, IndexError, TypeError) as exc:
        raise ValueError(
            "no log-probabilities (logprobs.content[0].top_logprobs) in it; where the server has none, "
            "set judge.mode to json"
        ) from exc
    if drawn[0] not in [token for token, _ in entries]:
        entries.append(drawn)
    sums = {"yes": 0.0, "no": 0.0}
    total = 0.0
    for token, logprob in entries:
        probability = _probability(token, logprob)
        total += probability
        word = token.strip(_AROUND).casefold()
        if word in sums:
            sums[word] += probability
    if total > 1.0 + SLACK:
        raise ValueError(f"the probabilities of its tokens add up to {total:.3g}")
    return Share(**sums)


def _probability(token: object, logprob: object) -> float:
    """Raises ValueError for what is no log-probability of a token."""
    if not (isinstance(token, str) and isinstance(logprob, int | float) and not isinstance(logprob, bool)):
        raise ValueError("a token without a log-probability")  # noqa: TRY004  the text is wrong, not the caller
    if not logprob <= SLACK:
        raise ValueError("a log-probability above 0")
    return math.exp(max(LOWEST, min(0.0, logprob)))


def _judged(question: Question, share: Share, shown: Record) -> Answer:
    """Raises JudgeFailure when the model would rather say something else: asked again, it would again."""
    mass = share.yes + share.no
    if mass < LEAST_MASS:
        raise JudgeFailure(
            f"the judge answers {question.id} with neither yes nor no: their probability is {mass:.2f}, "
            f"under {LEAST_MASS}"
        )
    reason = f"P(yes) {share.yes:.3f}, P(no) {share.no:.3f}{shown.cut_note}"
    return Answer(value=share.yes / mass, reason=reason)
