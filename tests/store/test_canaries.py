"""Runs of the canaries: the newest, the baseline, and which may be forgotten."""

from __future__ import annotations

from monitor.canary import AlarmRule, CanaryAlarm, CanaryRun, CanaryScore
from monitor.store import Store
from tests.store.samples import NOW, after

SCORES = (
    CanaryScore(id="g", kind="short_answer", is_good=True, value=0.9, passed=True),
    CanaryScore(id="b", kind="parrot", is_good=False, value=None, passed=None, reason="JudgeFailure: timeout"),
)
ALARM = CanaryAlarm(rule=AlarmRule.AUC, reason="the AUC is 0.5", ids=("g", "b"))


def a_run(run_id: str = "r1", seconds: float = 0, *, is_sick: bool = False, **changes: object) -> CanaryRun:
    values: dict[str, object] = {
        "epoch": "e1",
        "fingerprint": "f1",
        "scored": 1,
        "not_scored": 1,
        "auc": 0.97,
        "mean_good": 0.9,
        "mean_bad": None,
        "flips": None,
        "alarms": (ALARM,) if is_sick else (),
        "results": SCORES,
    }
    return CanaryRun(id=run_id, at=after(seconds), is_sick=is_sick, **(values | changes))  # type: ignore[arg-type]


def test_a_run_comes_back_as_it_was_and_is_written_once(store: Store) -> None:
    assert store.canary_run() is None
    for _ in range(2):
        store.save_canary_run(a_run(is_sick=True, flips=3))
    assert store.canary_run() == a_run(is_sick=True, flips=3)
    assert store.retire_canary_runs(older_than=after(9), batch=9) == 1


def test_the_newest_run_is_the_one_written_last_whatever_the_clock_did(store: Store) -> None:
    for run in (a_run("r1", 50), a_run("r2", 10), a_run("r3", 0, epoch="e2")):
        store.save_canary_run(run)
    found = [store.canary_run(epoch) for epoch in (None, "e1", "e2", "e3")]
    assert [run.id if run else None for run in found] == ["r3", "r2", "r3", None]


def test_the_baseline_is_the_first_run_without_an_alarm_of_the_same_epoch_and_canaries(store: Store) -> None:
    for run in (a_run("r1", is_sick=True), a_run("r2"), a_run("r3"), a_run("r4", epoch="e2", fingerprint="f2")):
        store.save_canary_run(run)
    wanted = [("e1", "f1"), ("e1", "f2"), ("e2", "f2"), ("e3", "f1")]
    found = [store.canary_baseline(*one) for one in wanted]
    assert [run.id if run else None for run in found] == ["r2", None, "r4", None]


def test_old_runs_are_forgotten_in_batches_but_the_baseline_of_an_epoch_in_use(store: Store) -> None:
    runs = [a_run("e0-a", 1, epoch="e0"), a_run("e0-b", 2, epoch="e0"), a_run("a", 3, is_sick=True)]
    runs += [a_run("b", 4), a_run("c", 5), a_run("d", 100)]
    for run in runs:
        store.save_canary_run(run)
    assert [store.retire_canary_runs(older_than=after(60), batch=3) for _ in range(3)] == [3, 1, 0]
    baseline, newest = store.canary_baseline("e1", "f1"), store.canary_run("e1")
    assert [run.id if run else None for run in (baseline, newest, store.canary_run("e0"))] == ["b", "d", None]


def test_the_snapshot_shows_the_newest_run(store: Store) -> None:
    assert store.snapshot({}, now=NOW).canaries is None
    store.save_canary_run(a_run("r1"))
    store.save_canary_run(a_run("r2", epoch="e2"))
    assert store.snapshot({}, now=NOW).canaries == a_run("r2", epoch="e2")
