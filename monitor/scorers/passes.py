"""When one draw of a judge is not enough, and how several are asked for and taken together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from statistics import fmean

from monitor.errors import JudgeFailure
from monitor.judge_usage import JudgeUsage
from monitor.score import PASS_SCORE, Score
from monitor.scorers.contract import Answer, Answers, Case, Judge, Judgement, Question

PASSES = 3
CLOSE = 0.1
ROUNDING = 1e-9


def is_close(score: Score) -> bool:
    """Whether the score lies within 0.1 of passing, or a critical item that the judge answered has failed."""
    if score.value is None:
        return False
    has_failed = any(item.critical and item.kind == "judge" and item.passed is False for item in score.items)
    return has_failed or abs(score.value - PASS_SCORE) <= CLOSE + ROUNDING


async def further(
    judge: Judge, questions: Sequence[Question], case: Case, seeds: Sequence[int], *, earlier: JudgeUsage
) -> list[Judgement]:
    """One pass more for each seed. Raises JudgeFailure, whose usage has that of the `earlier` pass in it."""
    done: list[Judgement] = []
    for seed in seeds:
        try:
            done.append(await judge.ask(questions, case, seed=seed))
        except JudgeFailure as exc:
            exc.add_usage(reduce(add, [one.usage for one in done], earlier))
            raise
    return done


def together(passes: Sequence[Answers]) -> Answers:
    """The mean of each answer, which passes an item exactly if most passes do where each says yes or no.

    Reason and evidence are those of the first pass that agrees with the mean.
    """
    return {id_: _together([answers[id_] for answers in passes]) for id_ in passes[0]}


def _together(answers: Sequence[Answer]) -> Answer:
    value = fmean(answer.value for answer in answers)
    agreeing = [answer for answer in answers if (answer.value >= PASS_SCORE) == (value >= PASS_SCORE)]
    yes = sum(answer.value >= PASS_SCORE for answer in answers)
    reason = f"{yes} of {len(answers)} passes say yes: {agreeing[0].reason}"
    return Answer(value=value, reason=reason, evidence=agreeing[0].evidence)
