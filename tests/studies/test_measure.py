"""Which score a label is held against."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.check import Conversation
from monitor.errors import JudgeFailure, StoreUnavailable
from monitor.healthcheck import HealthCheck
from monitor.judge_usage import JudgeUsage
from monitor.redact import Redactor
from monitor.score import ComponentScore
from monitor.scorers.conduct import Conduct
from monitor.scorers.contract import Answers, Case
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from monitor.studies.labels import Label
from monitor.studies.lines import NEUTRAL, Given, read_case
from monitor.studies.measure import CaseScoring, Measurer
from monitor.studies.rescore import Rescore
from tests.fixtures.checking import Checking
from tests.parties import intent, transcript

AT = datetime(2026, 3, 1, tzinfo=UTC)
HALF = Scoring([Task(), Conduct()], {"task": 0.5, "conduct": 0.5})


class AwayJudge(Task):
    """Scores nothing."""

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        raise JudgeFailure("away")


class Broken(Task):
    """Has a mistake that shows with one conversation."""

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        if "hello" in case.transcript.turns[0].text:
            raise KeyError("sk-abcdefgh1234567890")
        return await super().score(case, answers)


def a_label(conversation: str | Given, line: int = 1, target: str = "score") -> Label:
    return Label(line=line, value=1.0, target=target, conversation=conversation)


def measurer(check: HealthCheck, epoch: str) -> Measurer:
    return Measurer(
        store=check.store,
        scoring=CaseScoring(scoring=HALF, redactor=Redactor()),
        epoch=epoch,
        intents={"s": {one.id: one for one in check.suite.intents}},
    )


async def checked(checking: Checking) -> tuple[HealthCheck, Conversation]:
    """A conversation whose task fails: 0 by the task alone, .5 beside conduct."""
    checking.answers("I would have to look that up in our handbook for you.")
    check = checking.check(rounds=1)
    done = await checking.run(check)
    return check, checking.store.conversations(done.id)[0]


async def value(check: HealthCheck, epoch: str, conversation: Conversation) -> float | None:
    (measured,), missing = await measurer(check, epoch).run([a_label(conversation.id)])
    assert not missing
    return measured.score.value


async def test_a_stored_score_of_this_epoch_is_taken_as_it_is(checking: Checking) -> None:
    check, conversation = await checked(checking)
    assert await value(check, "e1", conversation) == conversation.score.value == 0.0


async def test_a_score_of_another_epoch_is_never_held_against_labels(checking: Checking) -> None:
    check, conversation = await checked(checking)
    assert await value(check, "e2", conversation) == 0.5


async def test_a_further_score_of_this_epoch_is_taken_before_a_new_one_is_made(checking: Checking) -> None:
    check, conversation = await checked(checking)
    intents = {"s": {one.id: one for one in check.suite.intents}}
    by_task = Scoring([Task()], {"task": 1.0})
    again = Rescore(store=check.store, scoring=by_task, epoch="e2", redactor=Redactor(), intents=intents, now=check.now)
    await again.run([conversation.id])
    assert await value(check, "e2", conversation) == 0.0


async def test_what_cannot_be_scored_is_counted_by_its_reason(checking: Checking) -> None:
    check, conversation = await checked(checking)
    changed = replace(check, suite=replace(check.suite, intents=(intent(id=conversation.intent_id, max_turns=9),)))
    labels = [a_label(conversation.id, 1), a_label("gone", 2), a_label("gone", 3, "conduct")]
    measured, missing = await measurer(changed, "e2").run(labels)
    assert measured == []
    assert missing == {"the intent has changed": 1, "no such conversation is stored": 2}


async def test_labels_of_one_conversation_share_one_score(checking: Checking) -> None:
    check, conversation = await checked(checking)
    labels = [a_label(conversation.id, line, target) for line, target in enumerate(("score", "task", "conduct"))]
    measured, _ = await measurer(check, "e2").run(labels)
    assert [one.label.target for one in measured] == ["score", "task", "conduct"]
    assert measured[0].score is measured[1].score is measured[2].score


async def test_a_conversation_of_the_file_itself_is_scored_without_task_where_it_has_no_intent() -> None:
    messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "good day to you"}]
    given = read_case(1, {"id": "a", "messages": messages}, lambda _: NEUTRAL, at=AT)
    assert isinstance(given, Given)
    score = await CaseScoring(scoring=HALF, redactor=Redactor()).score(given.case)
    assert [component.name for component in score.components] == ["conduct"]


async def test_a_judge_that_is_away_leaves_the_score_without_a_value() -> None:
    away = CaseScoring(scoring=Scoring([AwayJudge()], {"task": 1.0}), redactor=Redactor())
    score = await away.score(Case(intent=intent(), transcript=transcript("hello", "good day")))
    assert (score.value, score.reason) == (None, "JudgeFailure: away")


async def test_what_a_judge_answered_before_it_failed_is_counted() -> None:
    class Costly(Task):
        async def score(self, case: Case, answers: Answers) -> ComponentScore:
            raise JudgeFailure("away", JudgeUsage(calls=2, prompt_tokens=9, cost=0.5))

    costly = CaseScoring(scoring=Scoring([Costly()], {"task": 1.0}), redactor=Redactor())
    score = await costly.score(Case(intent=intent(), transcript=transcript("hello", "good day")))
    assert score.judged == JudgeUsage(calls=2, prompt_tokens=9, cost=0.5)


async def test_a_mistake_of_the_monitor_leaves_one_score_out_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = CaseScoring(scoring=Scoring([Broken()], {"task": 1.0}), redactor=Redactor())
    score = await broken.score(Case(intent=intent(), transcript=transcript("hello", "good day")))
    assert (score.value, score.reason) == (None, "a fault of the monitor: KeyError: '[redacted:api_key]'")
    (record,) = caplog.records
    assert record.getMessage() == "scoring_broke conversation=returns"
    assert (await broken.score(Case(intent=intent(), transcript=transcript("hi", "30 days")))).value is not None


async def test_a_database_that_is_away_is_no_mistake_of_one_conversation() -> None:
    class Away(Task):
        async def score(self, case: Case, answers: Answers) -> ComponentScore:
            raise StoreUnavailable("away")

    away = CaseScoring(scoring=Scoring([Away()], {"task": 1.0}), redactor=Redactor())
    with pytest.raises(StoreUnavailable):
        await away.score(Case(intent=intent(), transcript=transcript("hello", "good day")))
