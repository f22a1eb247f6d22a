"""When a judge is asked three times, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from monitor.errors import JudgeFailure
from monitor.intent import ChecklistItem, JudgeQuestion, RequiredFact
from monitor.judge_usage import JudgeUsage
from monitor.score import ComponentScore, Evidence, Score
from monitor.scorers.contract import Answer, Answers, Case, Judgement, Question, Scorer
from monitor.scorers.passes import together
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from tests.parties import intent, transcript


@dataclass
class Draws:
    """A judge whose passes are written down; it says `seeds` that it was given."""

    passes: Sequence[Mapping[str, float]]
    is_sampled: bool = True
    seeds: list[int] = field(default_factory=list)

    async def ask(self, questions: Sequence[Question], case: Case, *, seed: int) -> Judgement:
        del case
        drawn = self.passes[len(self.seeds)]
        self.seeds.append(seed)
        await asyncio.sleep(0)
        answers = {question.id: Answer(value=drawn[question.id], reason="r") for question in questions}
        return Judgement(answers=answers, usage=JudgeUsage(calls=1, prompt_tokens=10))


@dataclass
class Counting:
    """A component that asks nobody, and counts how often it is scored."""

    name: str = "plain"
    scored: int = 0

    def questions(self, case: Case) -> Sequence[Question]:
        del case
        return ()

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        del case, answers
        self.scored += 1
        return ComponentScore(name=self.name, value=1.0)


async def scored(judge: Draws, *checklist: ChecklistItem, plain: Counting | None = None) -> Score:
    weights = {"task": 1.0} | ({"plain": 1.0} if plain else {})
    scorers: list[Scorer] = [Task(), *([plain] if plain else [])]
    case = Case(intent=intent(checklist=checklist), transcript=transcript("a", "b"))
    return await Scoring(scorers, weights, judge=judge).score(case, seed=3)


def question(id_: str, *, critical: bool = False) -> JudgeQuestion:
    return JudgeQuestion(id=id_, question="Is it?", critical=critical)


@pytest.mark.parametrize(
    ("first", "asked"),
    [((1.0, 1.0), 1), ((0.0, 0.0), 1), ((1.0, 0.0), 3), ((0.8, 0.4), 3), ((0.8, 0.42), 1), ((0.4, 0.4), 3)],
)
async def test_a_score_within_a_tenth_of_passing_takes_three_passes(first: tuple[float, float], asked: int) -> None:
    drawn = dict(zip("ab", first, strict=True))
    judge = Draws([drawn] * 3)
    score = await scored(judge, question("a"), question("b"))
    assert len(judge.seeds) == asked
    assert len(set(judge.seeds)) == asked
    assert score.judged == JudgeUsage(calls=asked, prompt_tokens=10 * asked)


async def test_a_failed_critical_item_takes_three_passes_and_the_most_decide() -> None:
    judge = Draws([{"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0}])
    score = await scored(judge, question("a", critical=True), question("b"))
    assert (len(judge.seeds), score.passed) == (3, True)
    assert score.value == pytest.approx((2 / 3 + 1) / 2)
    assert score.items[0].reason == "2 of 3 passes say yes: r"


async def test_a_critical_item_that_no_judge_answered_is_no_reason_to_ask_again() -> None:
    judge = Draws([{"a": 0.0}])
    fact = RequiredFact(id="fact", patterns=("never said",), critical=True)
    assert (await scored(judge, question("a"), fact)).passed is False
    assert len(judge.seeds) == 1


async def test_a_judge_that_would_say_the_same_again_is_asked_once() -> None:
    judge = Draws([{"a": 0.5}], is_sampled=False)
    assert (await scored(judge, question("a"))).value == 0.5


async def test_a_component_that_asks_nobody_is_scored_once() -> None:
    plain = Counting()
    judge = Draws([{"a": 0.0}] * 3)
    score = await scored(judge, question("a"), plain=plain)
    assert (score.value, len(judge.seeds), plain.scored) == (0.5, 3, 1)


def test_reason_and_evidence_are_of_a_pass_that_agrees_with_the_most() -> None:
    def said(value: float, reason: str) -> Answers:
        return {"a": Answer(value=value, reason=reason, evidence=(Evidence(turn=0, quote=reason),))}

    whole = together([said(1.0, "first"), said(0.0, "second"), said(0.0, "third")])["a"]
    assert whole.value == pytest.approx(1 / 3)
    assert whole.reason == "1 of 3 passes say yes: second"
    assert whole.evidence == (Evidence(turn=0, quote="second"),)


class Fails(Draws):
    """Answers so many passes as are written down, and none after."""

    async def ask(self, questions: Sequence[Question], case: Case, *, seed: int) -> Judgement:
        if len(self.seeds) == len(self.passes):
            raise JudgeFailure("away", JudgeUsage(calls=2, prompt_tokens=5))
        return await super().ask(questions, case, seed=seed)


@pytest.mark.parametrize("answered", [0, 1, 2])
async def test_a_judge_that_fails_in_a_later_pass_is_paid_for_the_earlier_ones(answered: int) -> None:
    with pytest.raises(JudgeFailure) as failed:
        await scored(Fails([{"a": 0.5}] * answered), question("a"))
    assert failed.value.usage == JudgeUsage(calls=2 + answered, prompt_tokens=5 + 10 * answered)
