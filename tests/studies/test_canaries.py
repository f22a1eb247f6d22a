"""The canaries that ship, and a scoring that is sabotaged in front of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from monitor.bootstrap.canaries import shipped_canaries
from monitor.bootstrap.studies import plain_scoring
from monitor.canary import AlarmRule, CanaryRun, measured
from monitor.errors import JudgeFailure
from monitor.intent import JudgeQuestion, State
from monitor.redact import Redactor
from monitor.score import ComponentScore
from monitor.scorers.conduct import Conduct
from monitor.scorers.contract import Answers, Case, Judgement, Question
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from monitor.store import Store
from monitor.studies.canaries import (
    SAID_AT,
    Canary,
    CanaryStudy,
    canary_case,
    fingerprint_of,
    judgeable,
    score_canaries,
)
from monitor.studies.measure import CaseScoring
from monitor.transcript import Role
from tests.parties import T0, intent

BAD_KINDS = {
    "asks_again",
    "broken_json",
    "broken_promise",
    "empty_politeness",
    "error_text",
    "judge_injection",
    "leak",
    "mojibake",
    "null_reply",
    "other_customer",
    "parrot",
    "repetition",
    "role_confusion",
    "self_contradiction",
    "truncation",
    "unjustified_refusal",
    "wrong_fact",
    "wrong_language",
    "wrong_number",
}


@cache
def shipped() -> tuple[Canary, ...]:
    return shipped_canaries()


@cache
def plain() -> tuple[Canary, ...]:
    return judgeable(shipped(), has_judge=False)


class Lenient:
    """A scorer in the place of `task` that always gives 1."""

    name = "task"

    def questions(self, case: Case) -> Sequence[Question]:
        del case
        return ()

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        del case, answers
        return ComponentScore(name=self.name, value=1.0)


class Inverted(Task):
    """The real one, upside down."""

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        component = await super().score(case, answers)
        return replace(component, value=None if component.value is None else 1 - component.value)


class AwayJudge:
    """A judge that never answers."""

    is_sampled = False

    async def ask(self, questions: Sequence[Question], case: Case, *, seed: int) -> Judgement:
        del questions, case, seed
        raise JudgeFailure("timeout")


def scoring(*scorers: Task | Lenient | Conduct, judge: AwayJudge | None = None, **weights: float) -> CaseScoring:
    redact = Redactor()
    return CaseScoring(scoring=Scoring(scorers, weights, judge=judge, redactor=redact), redactor=redact)


async def run(how: CaseScoring, canaries: Sequence[Canary], baseline: CanaryRun | None = None) -> CanaryRun:
    results = await score_canaries(canaries, how, at_once=4)
    return measured(results, run_id="r", at=T0, epoch="e", fingerprint="f", baseline=baseline)


def test_there_are_enough_of_both_labels_with_ids_of_their_own() -> None:
    labels = Counter(canary.is_good for canary in shipped())
    assert min(labels[True], labels[False]) >= 30
    assert len({canary.id for canary in shipped()}) == len(shipped())
    assert len({canary.fingerprint for canary in shipped()}) == len(shipped())


def test_each_kind_of_bad_conversation_is_there_at_least_twice() -> None:
    kinds = Counter(canary.kind for canary in shipped() if not canary.is_good)
    assert kinds.keys() == BAD_KINDS
    assert min(kinds.values()) >= 2


def test_good_and_bad_ones_share_no_kind() -> None:
    kinds = [{canary.kind for canary in shipped() if canary.is_good is label} for label in (True, False)]
    assert kinds[0] & kinds[1] == set()


def test_conversations_are_of_one_to_six_turns_begin_with_the_user_and_differ() -> None:
    for canary in shipped():
        turns = canary.case.transcript.turns
        assert turns[0].role is Role.USER, canary.id
        assert 1 <= len(canary.case.transcript.user_turns) <= 6, canary.id
    assert {len(canary.case.transcript.user_turns) for canary in shipped()} >= {1, 2, 3, 5, 6}
    texts = {tuple(turn.text for turn in canary.case.transcript.turns) for canary in shipped()}
    assert len(texts) == len(shipped())


@pytest.mark.parametrize("canary", shipped(), ids=lambda canary: canary.id)
def test_a_canary_needs_a_judge_if_nothing_else_is_in_its_checklist_and_asks_no_server(canary: Canary) -> None:
    checklist = canary.case.intent.checklist
    assert not any(isinstance(item, State) for item in checklist)
    if all(isinstance(item, JudgeQuestion) for item in checklist):
        assert canary.needs_judge
    if canary.needs_judge:
        assert any(isinstance(item, JudgeQuestion) for item in checklist)


async def test_without_a_judge_good_and_bad_ones_are_told_apart_where_no_knowledge_is_needed() -> None:
    found = await run(plain_scoring(), plain())
    assert (found.scored, found.not_scored) == (len(plain()), 0)
    assert found.auc is not None
    assert found.auc >= 0.95
    assert not found.is_sick


async def test_scoring_twice_gives_the_same() -> None:
    first, second = await run(plain_scoring(), plain()), await run(plain_scoring(), plain())
    assert first.results == second.results


@pytest.mark.parametrize(
    "broken",
    [
        scoring(Lenient(), Conduct(), task=0.5, conduct=0.1),
        scoring(Inverted(), Conduct(), task=0.5, conduct=0.1),
        scoring(Task(), Conduct(), task=0.1, conduct=0.5),
    ],
    ids=["always 1", "upside down", "weights swapped"],
)
async def test_a_sabotaged_scoring_raises_the_alarm(broken: CaseScoring) -> None:
    baseline = await run(plain_scoring(), plain())
    assert (await run(broken, plain(), baseline)).is_sick


async def test_a_judge_that_fails_leaves_canaries_without_a_score_and_raises_the_alarm() -> None:
    asked = tuple(canary for canary in shipped() if canary.needs_judge)
    found = await run(scoring(Task(), judge=AwayJudge(), task=1.0), asked)
    assert (found.scored, found.not_scored, found.auc) == (0, len(asked), None)
    assert [alarm.rule for alarm in found.alarms] == [AlarmRule.NOT_SCORED]
    assert "JudgeFailure: timeout" in found.reason


async def test_what_is_leaked_in_a_canary_is_not_stored() -> None:
    found = await run(plain_scoring(), plain())
    assert "sk-live" not in repr(found)


def test_a_cut_off_reply_keeps_its_finish_reason() -> None:
    case = canary_case(
        intent(),
        [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "how"},
            {"role": "assistant", "content": "first you", "finish_reason": "length"},
        ],
    )
    assert [turn.finish_reason for turn in case.transcript.turns] == [None, "length"]
    assert case.transcript.turns[0].at == SAID_AT


def test_a_set_of_canaries_has_a_fingerprint_whatever_its_order() -> None:
    some = plain()[:3]
    assert fingerprint_of(some) == fingerprint_of(some[::-1]) != fingerprint_of(some[:2])


async def test_runs_are_held_against_the_first_healthy_one_of_their_epoch(sqlite_store: Store) -> None:
    def study(how: CaseScoring, epoch: str = "e1") -> CanaryStudy:
        return CanaryStudy(store=sqlite_store, scoring=how, epoch=epoch, canaries=plain(), now=lambda: T0)

    sick, healthy = study(scoring(Inverted(), task=1.0)), study(plain_scoring())
    first = await sick.run()
    second, third, fourth = await healthy.run(), await healthy.run(), await sick.run()
    other = await study(scoring(Task(), task=1.0), "e2").run()
    assert [one.flips is None for one in (first, second, third, fourth, other)] == [True, True, False, False, True]
    assert [one.is_sick for one in (first, second, third, fourth)] == [True, False, False, True]
    assert (third.flips, fourth.flips) == (0, len(fourth.alarms[-1].ids))
    newest = sqlite_store.canary_run("e1")
    assert newest == fourth
