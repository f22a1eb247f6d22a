"""Scores made later than the conversations, and calibrations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.agreement import Estimate
from monitor.calibration import Calibration, TargetAgreement, WeightProposal
from monitor.check import Rescored
from monitor.judge_usage import JudgeUsage
from monitor.score import ComponentScore, Evidence, ItemScore, Score
from monitor.store import Closing, ConversationFilter, Store
from monitor.transcript import EndReason, Outcome
from tests.store.samples import a_check, a_conversation, a_score, a_transcript, after, an_ended_check

SAID = Evidence(turn=1, quote="30 days")
ITEM = ItemScore(id="days", kind="judge", value=0.4, reason="vague", critical=True, evidence=(SAID,))
SCORE = Score(
    value=0.4,
    reason="",
    gate=1.0,
    components=(ComponentScore(name="task", value=0.4, items=(ITEM,), signals={"words": 3.5}),),
    judged=JudgeUsage(calls=2, prompt_tokens=10, cost=0.01),
)


def a_rescored(rescored_id: str = "r1", seconds: float = 10, **changes: object) -> Rescored:
    values: dict[str, object] = {"conversation_id": "v1", "epoch": "e2", "fingerprint": "f2", "score": SCORE}
    return Rescored(id=rescored_id, at=after(seconds), **(values | changes))  # type: ignore[arg-type]


def a_calibration(calibration_id: str = "k1", seconds: float = 0, epoch: str = "e1") -> Calibration:
    target = TargetAgreement(
        target="score", n=40, good=20, base_rate=0.5, spearman=Estimate(value=0.5, low=0.2, high=0.7)
    )
    fit = WeightProposal(n=40, weights={"task": 0.75, "conduct": 0.25}, penalty=0.1)
    return Calibration(
        id=calibration_id,
        at=after(seconds),
        epoch=epoch,
        labels=41,
        targets=(target,),
        fit=fit,
        not_scored={"the intent has changed": 1},
    )


@pytest.fixture(autouse=True)
def stored(store: Store) -> None:
    store.open_check(a_check(), None)
    store.save_conversation(a_conversation(), None)


def test_a_further_score_comes_back_as_it_was_and_the_first_one_stays(store: Store) -> None:
    store.append_rescored(a_rescored())
    assert store.rescored("v1") == [a_rescored()]
    assert store.conversation("v1") == a_conversation()


def test_further_scores_are_several_and_come_newest_first(store: Store) -> None:
    for rescored in (a_rescored("r1", 10), a_rescored("r3", 30), a_rescored("r2", 20, epoch="e3")):
        store.append_rescored(rescored)
    assert [(one.id, one.epoch) for one in store.rescored("v1")] == [("r3", "e2"), ("r2", "e3"), ("r1", "e2")]


def test_a_further_score_that_was_written_already_is_written_once(store: Store) -> None:
    store.append_rescored(a_rescored())
    store.append_rescored(a_rescored())
    assert len(store.rescored("v1")) == 1


def test_a_further_score_without_a_value_keeps_its_reason(store: Store) -> None:
    nothing = Score(value=None, reason="the judge was away", gate=1.0, components=())
    store.append_rescored(a_rescored(score=nothing))
    assert store.rescored("v1")[0].score == nothing


def test_further_scores_go_with_their_conversation_and_none_is_added_to_one_that_is_gone(store: Store) -> None:
    store.append_rescored(a_rescored())
    store.close_check(Closing(check=an_ended_check()))
    assert store.retire(older_than=after(60), batch=10) == 1
    store.append_rescored(a_rescored("r2"))
    assert store.rescored("v1") == []


def test_completed_conversations_come_newest_first_by_check_suite_and_time(store: Store) -> None:
    store.open_check(a_check("c2", suite="other"), None)
    failed = a_transcript(end=EndReason.EMPTY, outcome=Outcome.ASSISTANT_ERROR)
    store.save_conversation(a_conversation("v2", transcript=failed), None)
    store.save_conversation(a_conversation("v3", "c2", transcript=a_transcript(finished_at=after(9))), None)
    wanted = {
        "all": ConversationFilter(),
        "check": ConversationFilter(check_id="c1"),
        "suite": ConversationFilter(suite="other"),
        "since": ConversationFilter(since=after(5)),
    }
    found = {name: store.completed(one, limit=9) for name, one in wanted.items()}
    assert found == {"all": ["v3", "v1"], "check": ["v1"], "suite": ["v3"], "since": ["v3"]}
    assert store.completed(ConversationFilter(), limit=1) == ["v3"]


def test_what_passed_is_told_for_one_epoch_and_as_the_score_itself_tells_it(store: Store) -> None:
    high, failed_critical = a_score(), replace(SCORE, value=0.9)
    failed_off = replace(
        failed_critical,
        components=(replace(SCORE.components[0], items=(replace(ITEM, value=None, is_on=False),)),),
    )
    unscored = Score(value=None, reason="x", gate=1.0, components=())
    scores = [high, SCORE, failed_critical, failed_off, unscored]
    for number, score in enumerate(scores):
        talk = a_transcript(finished_at=after(100 - number))
        store.save_conversation(a_conversation(f"w{number}", epoch="e9", score=score, transcript=talk), None)
    assert store.passed("e9", limit=9) == [score.passed for score in scores if score.value is not None]
    assert store.passed("e9", limit=1) == [True]
    assert store.passed("e8", limit=9) == []


def test_a_calibration_comes_back_as_it_was(store: Store) -> None:
    assert store.calibration("e1") is None
    store.save_calibration(a_calibration())
    store.save_calibration(a_calibration())
    assert store.calibration("e1") == a_calibration()


def test_the_newest_calibration_of_the_epoch_is_told_before_newer_ones_of_others(store: Store) -> None:
    for one in (a_calibration("k1", 1), a_calibration("k2", 2), a_calibration("k3", 3, epoch="e2")):
        store.save_calibration(one)
    found = [store.calibration(epoch) for epoch in ("e1", "e2", "e3")]
    assert [one.id for one in found if one] == ["k2", "k3", "k3"]


def test_a_check_is_judged_when_a_judge_took_part_in_one_of_its_scores(store: Store) -> None:
    assert not store.is_judged("c1")
    store.save_conversation(a_conversation("v2", score=SCORE), None)
    assert store.is_judged("c1")
    assert not store.is_judged("c2")
