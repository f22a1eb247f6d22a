"""Stored conversations scored again: appended, compared in pairs, and in agreement where nothing changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.check import CheckRecord, Conversation
from monitor.errors import JudgeFailure
from monitor.healthcheck import HealthCheck
from monitor.intent import ExpectedCall, Forbidden, Intent, RequiredFact, State, Suite, ToolCalls
from monitor.score import ComponentScore, ItemScore, Score
from monitor.scorers.contract import Answers, Case
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from monitor.store import Store
from monitor.studies.rescore import Comparison, Pair, Rescore, case_of, compare
from tests.fixtures.checking import GOOD, Checking
from tests.parties import intent

SECRET = "hunter2-hunter2"  # the redactor of the checks knows it


class AwayJudge(Task):
    """Scores nothing."""

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        raise JudgeFailure("away")


class Broken(Task):
    """Has a mistake that shows with one intent."""

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        if case.intent.id == "two":
            raise KeyError("an answer")
        return await super().score(case, answers)


def study(
    check: HealthCheck, *, scoring: Scoring | None = None, epoch: str = "e2", any_intent: bool = False
) -> Rescore:
    return Rescore(
        store=check.store,
        scoring=scoring or check.scoring,
        epoch=epoch,
        redactor=check.redactor,
        intents={check.suite.name: {one.id: one for one in check.suite.intents}},
        now=check.now,
        any_intent=any_intent,
    )


def playing(checking: Checking, *intents: Intent) -> HealthCheck:
    """One round of these intents."""
    suite = Suite(name="s", assistant="a", intents=intents, rounds=1, timeout_seconds=60, threshold=0.7)
    check = checking.check(rounds=1)
    return replace(check, suite=suite, scoring=Scoring([Task()], {"task": 1.0}, redactor=check.redactor))


async def stored_ids(checking: Checking, check: HealthCheck) -> tuple[CheckRecord, list[Conversation]]:
    done = await checking.run(check)
    return done, checking.store.conversations(done.id)


def stricter(check: HealthCheck) -> HealthCheck:
    """The same intents with a further fact that nobody tells."""
    more = RequiredFact(id="more", patterns=("nobody says that",))
    suite = replace(check.suite, intents=tuple(replace(i, checklist=(*i.checklist, more)) for i in check.suite.intents))
    return replace(check, suite=suite)


async def rescored(check: HealthCheck, stored: list[Conversation], **how: object) -> Comparison:
    return await study(check, **how).run([one.id for one in stored])  # type: ignore[arg-type]


async def test_new_scores_are_appended_under_the_new_epoch_and_old_ones_stay(checking: Checking) -> None:
    check = playing(checking, intent(id="one"))
    _, (before,) = await stored_ids(checking, check)
    await rescored(check, [before])
    assert checking.store.conversation(before.id) == before
    (new,) = checking.store.rescored(before.id)
    assert (new.epoch, new.fingerprint, new.score.value) == ("e2", before.fingerprint, 1.0)


async def test_the_same_scoring_moves_nothing_and_says_which_epochs_it_compared(checking: Checking) -> None:
    check = playing(checking, intent(id="one"), intent(id="two"))
    _, stored = await stored_ids(checking, check)
    found = await rescored(check, stored)
    assert (found.n, found.difference, found.standard_error, found.movers) == (2, 0.0, 0.0, ())
    assert (found.old_epochs, found.new_epoch) == ({"e1": 2}, "e2")


@pytest.mark.parametrize(
    ("reply", "forbidden"), [(f"{GOOD}, key {SECRET}", "key hunter2"), (f"{GOOD}, key {SECRET}", "never said")]
)
async def test_what_redaction_hides_still_counts(checking: Checking, reply: str, forbidden: str) -> None:
    talk = intent(id="one", checklist=(*intent().checklist, Forbidden(id="key", patterns=(forbidden,))))
    check = playing(checking, talk)
    checking.answers(reply)
    _, (before,) = await stored_ids(checking, check)
    assert "hunter2" not in repr(before)
    await rescored(check, [before])
    (again,) = checking.store.rescored(before.id)
    assert before.score.value == 0.0
    assert [(i.id, i.value) for i in again.score.items] == [(i.id, i.value) for i in before.score.items]
    assert (again.score.value, again.score.reason) == (before.score.value, before.score.reason)


async def test_intents_that_changed_or_are_gone_are_left_out_and_told(checking: Checking) -> None:
    check = playing(checking, intent(id="one"), intent(id="two"))
    _, stored = await stored_ids(checking, check)
    (first, *_), changed = check.suite.intents, stricter(check)
    other = replace(
        changed, suite=replace(changed.suite, intents=(replace(first, id="three"), changed.suite.intents[0]))
    )
    found = await rescored(other, stored)
    assert found.left_out == {"the intent has changed": 1, "the intent is not in the configuration": 1}
    assert (found.n, found.difference) == (0, None)


async def test_a_changed_intent_counts_when_that_is_asked_for(checking: Checking) -> None:
    check = playing(checking, intent(id="one"))
    _, stored = await stored_ids(checking, check)
    changed = stricter(check)
    found = await rescored(changed, stored, any_intent=True)
    assert (found.n, found.difference) == (1, -0.5)
    (new,) = checking.store.rescored(stored[0].id)
    assert new.fingerprint == changed.suite.intents[0].fingerprint != stored[0].fingerprint


async def test_a_judge_that_is_away_leaves_out_and_writes_nothing(checking: Checking) -> None:
    check = playing(checking, intent(id="one"))
    _, (before,) = await stored_ids(checking, check)
    found = await rescored(check, [before], scoring=Scoring([AwayJudge()], {"task": 1.0}))
    assert found.left_out == {"JudgeFailure: away": 1}
    assert checking.store.rescored(before.id) == []


async def test_a_mistake_of_the_monitor_leaves_one_out_and_the_others_are_compared(
    checking: Checking, caplog: pytest.LogCaptureFixture
) -> None:
    check = playing(checking, intent(id="one"), intent(id="two"))
    _, stored = await stored_ids(checking, check)
    found = await rescored(check, stored, scoring=Scoring([Broken()], {"task": 1.0}))
    assert (found.n, found.faults) == (1, 1)
    assert found.left_out == {"a fault of the monitor: KeyError: 'an answer'": 1}
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        f"scoring_broke conversation={one.id}" for one in stored if one.intent_id == "two"
    ]


async def test_a_conversation_that_was_deleted_meanwhile_is_told(sqlite_store: Store, checking: Checking) -> None:
    found = await study(checking.check()).run(["gone"])
    assert found.left_out == {"no such conversation is stored": 1}


def a_pair(number: int, old: float | None, new: float | None) -> Pair:
    scores = [Score(value=value, reason="", gate=1.0, components=()) for value in (old, new)]
    return Pair(conversation_id=f"v{number}", intent_id=f"i{number % 2}", old_epoch="e1", old=scores[0], new=scores[1])


def test_pairs_give_the_mean_of_differences_flips_and_the_largest_movers() -> None:
    changes = [(0.4, 0.6), (0.9, 0.4), (0.2, 0.2), (0.8, 0.7), (None, 0.9), (0.9, None)]
    found = compare([a_pair(number, *scores) for number, scores in enumerate(changes)], "e2", {})
    assert found.n == 4
    assert found.difference == pytest.approx(-0.1)
    assert (found.newly_passed, found.newly_failed) == (1, 1)
    assert [pair.conversation_id for pair in found.movers] == ["v1", "v0", "v3"]
    assert found.left_out == {"one of both scores is not measured": 2}
    # Two intents whose deviations sum to .4 and -.4: sqrt(2 / 1 * .32) / 4.
    assert found.standard_error == pytest.approx(0.2)


async def test_calls_that_could_not_be_heard_then_are_not_missed_later(checking: Checking) -> None:
    paid = ToolCalls(id="paid", calls=(ExpectedCall(name="pay"),), wait_seconds=5.0)
    check = playing(checking, intent(id="one", checklist=(*intent().checklist, paid)))
    _, (before,) = await stored_ids(checking, replace(check, hears_reports=False))
    score = await check.scoring.score(case_of(before, check.suite.intents[0]))
    assert [(item.id, item.value) for item in score.items][:2] == [("days", 1.0), ("paid", None)]


async def test_what_was_found_of_the_world_then_is_not_asked_again(checking: Checking) -> None:
    booked = State(id="booked", source="shop", path="/orders/1")
    check = playing(checking, intent(id="one", checklist=(*intent().checklist, booked)))
    _, (before,) = await stored_ids(checking, check)
    found = ItemScore(id="booked", kind="state", value=0.0, reason="HTTP 404 in place of 200")
    task = replace(before.score.components[0], items=(*before.score.components[0].items[:1], found))
    case = case_of(replace(before, score=replace(before.score, components=(task,))), check.suite.intents[0])
    score = await check.scoring.score(case)
    assert [(item.id, item.value) for item in score.items][:2] == [("days", 1.0), ("booked", 0.0)]
