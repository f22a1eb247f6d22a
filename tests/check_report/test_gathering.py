"""What a report knows of a check, whatever became of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.canary import CanaryRun, CanaryState
from monitor.check import CheckRecord, CheckStatus
from monitor.check_report import CheckReport, gather
from monitor.check_report.wording import what_changed
from monitor.judge_usage import JudgeUsage
from monitor.rules.evidence import Sums
from monitor.rules.memory import IntentMemory, Memory
from monitor.store import AlertChanges, Baseline, Closing, Store
from monitor.transcript import EndReason, Outcome
from monitor.verdict import Finding
from tests.check_report.samples import (
    AT,
    FALLEN,
    GOOD,
    HOURS,
    NOW,
    REFUND,
    SHOES,
    SUITE,
    begin,
    fallen,
    play,
    reported,
    run,
    verdict,
)
from tests.parties import intent


def test_what_fell_comes_first(report: CheckReport) -> None:
    assert [intent.intent_id for intent in report.intents] == ["refund", "opening-hours", "shoes"]
    assert [(i.intent_id, c.is_sure) for i, c in report.changes] == [
        ("refund", True),
        ("opening-hours", False),
        ("shoes", False),
    ]
    assert what_changed(report)[:2] == [
        "The average fell from 0.94 to 0.46 since the last healthy check, of 2026-03-01 08:00 UTC "
        "(difference at 95 %: −0.73 to −0.22).",
        "1 intent surely fell: refund (0.90 to 0.10).",
    ]


def test_the_numbers_are_those_of_the_check(report: CheckReport) -> None:
    assert report.summary is not None
    assert report.sample is not None
    assert (report.sample.mean, report.sample.error) == (report.summary.mean, report.summary.standard_error)
    assert report.outcomes == {Outcome.COMPLETED: 11, Outcome.ASSISTANT_ERROR: 1}
    assert (report.error_count, report.retired, len(report.conversations)) == (1, 0, 12)


def test_the_threshold_is_that_of_the_time(sqlite_store: Store) -> None:
    check = run(sqlite_store, verdicts=(verdict(Finding.BREACH, 0.5),))
    assert reported(sqlite_store, check).threshold == 0.75


def test_without_a_verdict_it_is_that_of_now(sqlite_store: Store) -> None:
    assert reported(sqlite_store, run(sqlite_store)).threshold == 0.7


def test_the_worst_of_each_intent_is_read_first(report: CheckReport) -> None:
    shown = [excerpt.conversation for excerpt in report.worst]
    assert [c.intent_id for c in shown[:2]] == ["refund", "opening-hours"]
    assert shown[0].value == 0.0
    assert all(not c.score.passed for c in shown)


def test_a_check_of_another_epoch_is_not_compared(sqlite_store: Store) -> None:
    run(sqlite_store, "before", GOOD, status=CheckStatus.HEALTHY, at=AT - HOURS, epoch="e0")
    told = reported(sqlite_store, run(sqlite_store))
    assert (told.compared, told.changes, len(told.trend)) == (None, (), 1)
    assert "under epoch e1" in told.not_compared


def test_the_last_healthy_check_is_compared_with_before_a_degraded_one(sqlite_store: Store) -> None:
    run(sqlite_store, "good", GOOD, status=CheckStatus.HEALTHY, at=AT - 2 * HOURS)
    run(sqlite_store, "bad", FALLEN, at=AT - HOURS)
    told = reported(sqlite_store, run(sqlite_store))
    assert told.compared is not None
    assert told.compared.before.id == "good"


def test_where_none_was_healthy_the_last_one_is(sqlite_store: Store) -> None:
    run(sqlite_store, "bad", FALLEN, at=AT - HOURS)
    told = reported(sqlite_store, run(sqlite_store))
    assert "since the check before, itself degraded, of" in what_changed(told)[0]


def test_only_unchanged_intents_are_compared(sqlite_store: Store) -> None:
    run(sqlite_store, "before", GOOD, status=CheckStatus.HEALTHY, at=AT - HOURS)
    edited = replace(REFUND, description="You are a user who wants money.")
    fresh = intent(id="fresh")
    scores = {"shoes": (0.9,) * 4, "refund": (0.0,) * 4, "fresh": (0.5,) * 4}
    told = reported(sqlite_store, run(sqlite_store, scores=scores, intents=(SHOES, edited, fresh)))
    assert told.compared is not None
    assert (told.compared.edited, told.compared.added, told.compared.gone) == (
        ("refund",),
        ("fresh",),
        ("opening-hours",),
    )
    assert [i.intent_id for i, _ in told.changes] == ["shoes"]
    assert told.compared.difference is not None
    assert told.compared.difference.now == pytest.approx(0.9)


def test_a_running_check_is_told_as_far_as_it_is(sqlite_store: Store) -> None:
    check = begin(sqlite_store, "running")
    for conversation in play("running", {"refund": (0.1, 0.2)}):
        sqlite_store.save_conversation(conversation, None)
    told = reported(sqlite_store, check)
    (only,) = told.intents
    assert (only.intent_id, only.planned, only.weight) == ("refund", None, None)
    assert only.mean == pytest.approx(0.15)
    assert (told.sample, told.compared) == (None, None)
    assert what_changed(told)[0] == "The check is still running: 2 of 12 conversations are in."


def test_an_aborted_check_says_what_it_had(sqlite_store: Store) -> None:
    check = begin(sqlite_store, "lost")
    sqlite_store.save_conversation(play("lost", {"shoes": (EndReason.HTTP_STATUS,)})[0], None)
    sqlite_store.abort_running(now=AT + timedelta(days=1), trusts_leases=False, owner="nobody")
    lost = replace(check, status=CheckStatus.ABORTED, reason="its process is gone")
    told = reported(sqlite_store, lost)
    assert told.outcomes == {Outcome.ASSISTANT_ERROR: 1}
    assert what_changed(told)[0].startswith("The check is aborted: it has no average.")


def test_retired_conversations_are_said_to_be_gone(sqlite_store: Store) -> None:
    check = fallen(sqlite_store)
    assert sqlite_store.retire(older_than=AT + timedelta(days=1), batch=100) > 0
    told = reported(sqlite_store, check)
    assert (told.retired, told.conversations, told.worst) == (12, (), ())
    assert "12 of 12 conversations are past their retention and cannot be shown." in what_changed(told)
    assert [i.mean for i in told.intents] == [i.mean for i in reported(sqlite_store, check).intents]


def test_without_the_conversations_intervals_are_wider(sqlite_store: Store) -> None:
    check = fallen(sqlite_store)
    kept = {i.intent_id: i.sample for i in reported(sqlite_store, check).intents}
    sqlite_store.retire(older_than=AT + timedelta(days=1), batch=100)
    for gone in reported(sqlite_store, check).intents:
        before = kept[gone.intent_id]
        assert gone.sample is not None
        assert before is not None
        assert gone.sample.mean == before.mean
        assert gone.sample.error >= before.error


def test_a_check_of_an_older_version_has_what_it_stored(sqlite_store: Store) -> None:
    run(sqlite_store, "before", GOOD, status=CheckStatus.HEALTHY, at=AT - HOURS)
    check = begin(sqlite_store, "old")
    played = play("old", FALLEN)
    for conversation in played:
        sqlite_store.save_conversation(conversation, None)
    full = run(sqlite_store, "other", FALLEN, at=AT - 3 * HOURS).summary
    assert full is not None
    summary = replace(
        full,
        intents=tuple(replace(i, fingerprint="") for i in full.intents),
        standard_error=None,
        clustered_error=None,
        latency_seconds=None,
        rounds=None,
    )
    ended = replace(check, status=CheckStatus.DEGRADED, finished_at=AT + HOURS, summary=summary)
    sqlite_store.close_check(Closing(check=ended))
    told = reported(sqlite_store, ended)
    assert (told.sample, told.changes) == (None, ())
    assert told.compared is not None
    assert (told.compared.is_unknown, told.compared.edited, told.compared.difference) == (True, (), None)
    assert any("was not stored by one of the two checks" in sentence for sentence in what_changed(told))


def remember(store: Store, checks: int) -> None:
    sums = Sums.of([0.9] * 4 * checks)
    known = {one.fingerprint: IntentMemory(intent_id=one.id, checks=checks, sums=sums) for one in SUITE}
    baseline = Baseline(suite="shop", epoch="e1", version=1, at=AT, memory=Memory(intents=known))
    store.rebaseline(baseline, AlertChanges())


def test_a_baseline_is_told_once_it_is_armed(sqlite_store: Store) -> None:
    check = run(sqlite_store)
    remember(sqlite_store, checks=12)
    told = reported(sqlite_store, check)
    assert told.baseline is not None
    assert told.baseline.checks == 12
    assert told.baseline.difference.before == pytest.approx(0.9)
    assert [intent.baseline for intent in told.intents] == [pytest.approx(0.9)] * 3
    assert any(sentence.startswith("The baseline of 12 checks is 0.90") for sentence in what_changed(told))


def test_one_that_is_still_being_taken_is_not(sqlite_store: Store) -> None:
    check = run(sqlite_store)
    remember(sqlite_store, checks=11)
    told = reported(sqlite_store, check)
    assert (told.baseline, {intent.baseline for intent in told.intents}) == (None, {None})


def canaries(*, is_sick: bool) -> CanaryRun:
    return CanaryRun(
        id="r1",
        at=AT - timedelta(hours=2),
        epoch="e1",
        fingerprint="f",
        scored=3,
        not_scored=0,
        auc=0.99,
        mean_good=0.9,
        mean_bad=0.1,
        flips=None,
        is_sick=is_sick,
        alarms=(),
        results=(),
    )


@pytest.mark.parametrize(
    ("is_sick", "every", "state"),
    [
        (False, 86400.0, CanaryState.HEALTHY),
        (True, 86400.0, CanaryState.SICK),
        (False, 1800.0, CanaryState.UNKNOWN),
        (True, None, None),
    ],
)
def test_the_canaries_say_what_they_said_at_the_time(
    is_sick: bool, every: float | None, state: CanaryState | None, sqlite_store: Store
) -> None:
    sqlite_store.save_canary_run(canaries(is_sick=is_sick))
    told = reported(sqlite_store, run(sqlite_store), replace(NOW, canary_seconds=every))
    assert told.canary_state is state


def test_a_judge_is_told_where_one_took_part(sqlite_store: Store) -> None:
    (one,) = play("judged", {"shoes": (0.9,)})
    judged = replace(one, score=replace(one.score, judged=JudgeUsage(calls=1)))
    told = reported(sqlite_store, run(sqlite_store, "judged", conversations=[judged]))
    assert told.judge == "uncalibrated"
    assert reported(sqlite_store, run(sqlite_store)).judge is None


def test_the_trend_is_of_the_same_epoch_and_ends_with_the_check(sqlite_store: Store) -> None:
    for number in range(3, 0, -1):
        run(sqlite_store, f"c{number}", GOOD, status=CheckStatus.HEALTHY, at=AT - number * HOURS)
    check = run(sqlite_store)
    run(sqlite_store, "later", GOOD, at=AT + HOURS)
    assert [point.id for point in reported(sqlite_store, check).trend] == ["c3", "c2", "c1", "now"]


def test_as_many_conversations_as_are_wanted(sqlite_store: Store) -> None:
    check: CheckRecord = fallen(sqlite_store)
    assert [len(gather(sqlite_store, check, NOW, most_conversations=n).worst) for n in (0, 1, 3)] == [0, 1, 3]
