"""That answers became better than the baseline: told once, to those who are told of such things, when they may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from monitor.briefing import Ended, Surroundings
from monitor.check import CheckRecord, CheckStatus, Trigger
from monitor.closing import Background, conclude
from monitor.machine import AlertPolicy, NotificationKind, Window
from monitor.rules.decide import decide
from monitor.rules.memory import Memory
from monitor.store import Baseline, Closing
from monitor.verdict import Severity
from tests.parties import T0
from tests.rules.examples import POLICY, steady, warmed
from tests.store.samples import a_check, a_summary

HOME = Surroundings(app="app", environment="prod", base_url="https://monitor.example")
LOUD = AlertPolicy.everywhere("slack")


def risen(checks: int, share: float = 1.0) -> Memory:
    """The memory after so many checks that were better than a baseline of 0.7."""
    memory = warmed(0.7)
    for number in range(checks):
        memory = conclude_one(memory, share, number).baseline.memory  # type: ignore[union-attr]
    return memory


def conclude_one(memory: Memory, share: float, number: int, policy: AlertPolicy = LOUD) -> Closing:
    evidence = steady(share, number=100 + number)
    check: CheckRecord = a_check(f"c{number}", suite="s", trigger=Trigger.SCHEDULE, status=CheckStatus.RUNNING)
    ended = Ended(check=check, conversations=(), summary=a_summary(), evidence=evidence, threshold=0.7)
    known = Baseline(suite="s", epoch="e1", version=number + 1, at=T0, memory=memory)
    return conclude(ended, Background(baseline=known), POLICY, lambda _: policy, HOME, now=evidence.at)


def infos(closing: Closing) -> list[str]:
    return [draft.channel for draft in closing.notifications if draft.kind is NotificationKind.INFO]


def test_a_lasting_rise_is_told_once_with_what_to_run() -> None:
    memory, told = warmed(0.7), []
    for number in range(12):
        closing = conclude_one(memory, 1.0, number)
        assert closing.baseline is not None
        memory = closing.baseline.memory
        told += [draft for draft in closing.notifications if draft.kind is NotificationKind.INFO]
    (draft,) = told
    assert (draft.channel, draft.alert.severity, draft.scope) == ("slack", Severity.INFO, "s/overall")
    assert draft.dedup_key == "app:prod:s/overall:rebaseline"
    assert draft.alert.reason.endswith("run: assistant-monitor rebaseline s")
    assert draft.alert.title == "s: answers are better than the baseline"


def test_as_long_as_answers_are_as_before_nothing_is_suggested() -> None:
    assert decide("s", steady(0.7, number=100), warmed(0.7), POLICY).rise is None


def test_a_rise_that_ended_may_be_told_again() -> None:
    memory = replace(risen(6), is_rise_told=True)
    for number in range(10):
        memory = decide("s", steady(0.3, number=200 + number), memory, POLICY).memory
    assert (memory.rise.level, memory.is_rise_told) == (0.0, False)


def test_in_a_window_it_waits_for_a_check_after_that() -> None:
    memory = replace(risen(6), is_rise_told=False)
    at = steady(1.0, number=150).at
    quiet = Window(name="maintenance x", starts_at=at - timedelta(hours=1), ends_at=at + timedelta(hours=1))
    held = conclude_one(memory, 1.0, 50, replace(LOUD, windows=(), planned=lambda _: quiet))
    assert (infos(held), held.suggestion) == ([], "")
    assert held.baseline is not None
    assert infos(conclude_one(held.baseline.memory, 1.0, 51)) == ["slack"]


def test_where_nobody_is_told_of_such_things_the_log_is() -> None:
    memory = replace(risen(6), is_rise_told=False)
    closing = conclude_one(memory, 1.0, 50, AlertPolicy(routes={Severity.CRITICAL: ("pagerduty",)}))
    assert infos(closing) == []
    assert closing.suggestion.endswith("run: assistant-monitor rebaseline s")
