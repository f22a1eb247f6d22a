"""What each rule says of a check, and what it remembers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.rules.decide import decide
from monitor.rules.memory import Memory
from monitor.rules.policy import QualityPolicy, RulesPolicy
from monitor.store.types import Document
from monitor.verdict import Finding, Severity
from tests.rules.examples import POLICY, check, drawn, finding, intent, said, steady, warmed

OUTAGE = check(*(intent(f"i{i}", [0.0] * 4, errors=[True] * 4) for i in range(20)))


def test_a_mean_far_below_the_threshold_is_a_breach_that_pages() -> None:
    verdict = said(decide("s", steady(0.4), Memory(), POLICY), "quality")
    assert (verdict.finding, verdict.severity) == (Finding.BREACH, Severity.CRITICAL)


def test_a_mean_below_the_threshold_by_no_more_than_chance_is_no_breach() -> None:
    assert finding(decide("s", steady(0.68), Memory(), POLICY), "quality") is Finding.HOLD


def test_a_mean_below_the_threshold_all_day_is_a_breach() -> None:
    memory = Memory()
    for number in range(2):
        memory = decide("s", steady(0.68, number=number), memory, POLICY).memory
    policy = RulesPolicy(quality=QualityPolicy(z=9.0))
    assert finding(decide("s", steady(0.68, number=2), memory, policy), "quality") is Finding.BREACH


def test_quality_recovers_after_two_checks_above_the_margin() -> None:
    memory = decide("s", steady(0.4), Memory(), POLICY).memory
    first = decide("s", steady(0.8, number=1), memory, POLICY)
    second = decide("s", steady(0.8, number=2), first.memory, POLICY)
    assert (finding(first, "quality"), finding(second, "quality")) == (Finding.HOLD, Finding.RECOVERED)


def test_between_threshold_and_margin_nothing_recovers() -> None:
    memory = decide("s", steady(0.4), Memory(), POLICY).memory
    for number in range(1, 6):
        decision = decide("s", steady(0.7125, number=number), memory, POLICY)
        memory = decision.memory
    assert finding(decision, "quality") is Finding.HOLD


def test_without_a_baseline_a_regression_is_unknown() -> None:
    assert finding(decide("s", steady(0.9), warmed(checks=11), POLICY), "regression") is Finding.UNKNOWN


def test_a_fall_from_the_baseline_is_a_warning_until_it_is_confirmed() -> None:
    memory = warmed(0.95)
    evidence = drawn(np.random.default_rng(2), 0.82, rounds=20, number=42)
    assert said(decide("s", evidence, memory, POLICY), "regression").severity is Severity.WARNING
    confirmed = replace(evidence, confirming_from=10)
    verdict = said(decide("s", confirmed, memory, POLICY), "regression")
    assert (verdict.finding, verdict.severity) == (Finding.BREACH, Severity.CRITICAL)


def test_intents_without_a_baseline_confirm_no_fall_of_the_others() -> None:
    memory, draw = warmed(0.95), np.random.default_rng(2)
    known = drawn(draw, 0.8, rounds=20, number=42).intents
    back = tuple(intent(i.intent_id, [*i.values[:10], *[0.95] * 10]) for i in known)
    new = tuple(intent(f"n{number}", [0.5] * 20) for number in range(19))
    evidence = replace(check(*back, *new, number=42), confirming_from=10)
    verdict = said(decide("s", evidence, memory, POLICY), "regression")
    assert (verdict.finding, verdict.severity) == (Finding.BREACH, Severity.WARNING)


def test_a_breach_comes_with_the_fall_and_when_it_began() -> None:
    memory = warmed(0.95)
    first = drawn(np.random.default_rng(2), 0.82, rounds=20, number=42)
    fell = decide("s", first, memory, POLICY)
    then = decide("s", drawn(np.random.default_rng(3), 0.82, rounds=20, number=43), fell.memory, POLICY)
    shift = then.shifts["s/overall"]
    assert shift.drop == pytest.approx(0.13, abs=0.03)
    assert shift.since == first.at
    assert "s/overall" not in decide("s", steady(0.95, number=42), memory, POLICY).shifts


def test_a_regression_recovers_after_two_checks_and_forgets() -> None:
    memory = warmed(0.95)
    memory = decide("s", drawn(np.random.default_rng(2), 0.8, rounds=20, number=42), memory, POLICY).memory
    assert "regression" in memory.breached
    for number in (43, 44):
        decision = decide("s", steady(0.96, rounds=20, number=number), memory, POLICY)
        memory = decision.memory
    assert finding(decision, "regression") is Finding.RECOVERED
    assert memory.fall.level == 0
    assert memory.breached == frozenset()


def test_a_full_baseline_is_never_changed_again() -> None:
    memory = warmed(0.8, checks=42)
    later = decide("s", steady(0.78, number=42), memory, POLICY).memory
    assert {f: m.sums for f, m in later.intents.items()} == {f: m.sums for f, m in memory.intents.items()}
    assert later.spread == memory.spread


def test_a_changed_intent_alone_warms_up_anew() -> None:
    memory = warmed(0.9)
    evidence = steady(0.9, number=42)
    changed = replace(evidence.intents[0], fingerprint="new")
    after = decide("s", replace(evidence, intents=(changed, *evidence.intents[1:])), memory, POLICY)
    assert after.memory.intents["new"].checks == 1
    assert finding(after, "regression") is not Finding.UNKNOWN


def test_when_most_intents_changed_a_regression_is_unknown_again() -> None:
    memory = warmed(0.9)
    evidence = steady(0.9, number=42)
    changed = tuple(replace(heard, fingerprint=f"new-{heard.intent_id}") for heard in evidence.intents[:11])
    decision = decide("s", replace(evidence, intents=(*changed, *evidence.intents[11:])), memory, POLICY)
    assert finding(decision, "regression") is Finding.UNKNOWN


def test_a_check_in_a_breach_teaches_the_baseline_nothing() -> None:
    memory = warmed(0.95, checks=20)
    evidence = drawn(np.random.default_rng(2), 0.6, rounds=20, number=20)
    after = decide("s", evidence, memory, POLICY).memory
    assert "regression" in after.breached
    assert after.intents["print-i0"].checks == 20


def test_an_intent_that_never_passes_any_more_is_a_breach_of_its_own_scope() -> None:
    memory = warmed(0.95)
    evidence = steady(1.0, rounds=12, number=42)
    dead = intent("i3", [0.0] * 12)
    decision = decide(
        "s", replace(evidence, intents=(*evidence.intents[:3], dead, *evidence.intents[4:])), memory, POLICY
    )
    verdict = said(decision, "intent", "s/i3")
    assert (verdict.finding, verdict.severity) == (Finding.BREACH, Severity.WARNING)
    assert finding(decision, "intent", "s/i4") is Finding.RECOVERED
    assert set(decision.shifts) == {"s/i3"}
    assert decision.shifts["s/i3"].drop == pytest.approx(0.95, abs=0.05)
    assert decision.shifts["s/i3"].since == evidence.at


def test_a_critical_intent_pages() -> None:
    memory = warmed(0.95)
    evidence = steady(1.0, rounds=12, number=42)
    dead = intent("i0", [0.0] * 12, critical=True)
    decision = decide("s", replace(evidence, intents=(dead, *evidence.intents[1:])), memory, POLICY)
    assert said(decision, "intent", "s/i0").severity is Severity.CRITICAL


def test_an_intent_recovers_when_two_checks_pass_often_enough() -> None:
    memory = warmed(0.95)
    evidence = steady(1.0, rounds=12, number=42)
    dead = replace(evidence, intents=(intent("i0", [0.0] * 12), *evidence.intents[1:]))
    memory = decide("s", dead, memory, POLICY).memory
    first = decide("s", steady(1.0, number=43), memory, POLICY)
    second = decide("s", steady(1.0, number=44), first.memory, POLICY)
    assert (finding(first, "intent", "s/i0"), finding(second, "intent", "s/i0")) == (Finding.HOLD, Finding.RECOVERED)
    assert second.memory.intents["print-i0"].halved == 0


def test_an_intent_that_seldom_passed_is_not_watched() -> None:
    decision = decide("s", steady(0.0, number=42), warmed(0.1), POLICY)
    assert not [verdict for verdict in decision.verdicts if verdict.rule == "intent"]


def test_an_intent_in_breach_teaches_its_baseline_nothing_and_recovers_by_the_old_one() -> None:
    memory = warmed(0.9, checks=14)
    p0 = memory.intents["print-i0"].passes / memory.intents["print-i0"].trials
    others = [intent(f"i{i}", [1.0, 1.0, 1.0, 0.0]) for i in range(1, 20)]
    dead, well = intent("i0", [0.0] * 12), intent("i0", [1.0] * 4)
    found = []
    for heard in (dead, *[dead] * 40, well, well):
        decision = decide("s", check(heard, *others), memory, POLICY)
        memory = decision.memory
        found.append(finding(decision, "intent", "s/i0"))
    assert found[0] is found[40] is Finding.BREACH
    assert found[-1] is Finding.RECOVERED
    assert memory.intents["print-i0"].passes / memory.intents["print-i0"].trials == pytest.approx(p0, abs=0.05)


def test_an_intent_that_its_baseline_says_passes_too_seldom_is_told_as_not_watched() -> None:
    decision = decide("s", steady(0.1, number=42), warmed(0.1), POLICY)
    assert {f"s/i{number}" for number in range(20)} >= decision.unwatched != set()
    assert decide("s", steady(0.9, number=42), warmed(0.9), POLICY).unwatched == set()


def test_an_assistant_that_does_not_answer_is_unavailable_in_its_first_check() -> None:
    verdict = said(decide("s", OUTAGE, Memory(), POLICY), "availability")
    assert (verdict.finding, verdict.severity) == (Finding.BREACH, Severity.CRITICAL)


def test_one_failure_of_many_is_not_unavailable() -> None:
    evidence = steady(1.0)
    errors = intent("i0", [0.0, 1.0, 1.0, 1.0], errors=[True, False, False, False])
    decision = decide("s", replace(evidence, intents=(errors, *evidence.intents[1:])), Memory(), POLICY)
    assert finding(decision, "availability") is Finding.HOLD


def test_a_check_that_was_mostly_refused_for_its_rate_is_unavailable() -> None:
    evidence = check(*(intent(f"i{i}", [1.0, None, None, None]) for i in range(20)))
    decision = decide("s", replace(evidence, rate_limited=60), Memory(), POLICY)
    assert "rate limited" in said(decision, "availability").reason


def test_with_too_few_valid_conversations_nothing_else_is_said_and_nothing_learned() -> None:
    evidence = check(*(intent(f"i{i}", [0.0, None, None, None]) for i in range(20)))
    decision = decide("s", evidence, Memory(), POLICY)
    assert {v.rule: v.finding for v in decision.verdicts} == {
        "availability": Finding.UNKNOWN,
        "quality": Finding.UNKNOWN,
        "regression": Finding.UNKNOWN,
    }
    assert decision.memory.intents == {}


def test_good_checks_are_not_counted_across_one_that_says_nothing_bad() -> None:
    memory = decide("s", OUTAGE, Memory(), POLICY).memory
    silent = check(*(intent(f"i{i}", [None] * 4) for i in range(20)))
    assert finding(decide("s", silent, memory, POLICY), "availability") is Finding.UNKNOWN


def test_checks_with_too_few_valid_conversations_end_no_outage() -> None:
    memory = decide("s", OUTAGE, Memory(), POLICY).memory
    one_of_many = check(*(intent(f"i{i}", [1.0 if i == 0 else None] * 4) for i in range(20)))
    for _ in range(3):
        decision = decide("s", one_of_many, memory, POLICY)
        memory = decision.memory
        assert finding(decision, "availability") is Finding.UNKNOWN
    assert finding(decide("s", steady(1.0), memory, POLICY), "availability") is Finding.HOLD


def test_an_intent_that_is_played_on_by_itself_makes_nobody_elses_errors() -> None:
    dead = intent("i0", [0.0] * 16, errors=[True] * 16)
    others = tuple(intent(f"i{i}", [1.0] * 4) for i in range(1, 30))
    verdict = said(decide("s", check(dead, *others), Memory(), POLICY), "availability")
    assert verdict.finding is Finding.HOLD
    assert verdict.reason == "the assistant failed to answer in 4 of 120 conversations"


def test_rules_that_are_off_say_nothing() -> None:
    policy = RulesPolicy(quality=None, regression=None, intent=None, availability=None)
    assert decide("s", steady(0.1), warmed(), policy).verdicts == ()


@pytest.mark.parametrize("checks", [0, 5, 42])
def test_a_memory_is_the_same_after_it_was_stored(checks: int) -> None:
    memory = warmed(0.7, checks=checks)
    document = Document(Memory)
    assert document.process_result_value(document.process_bind_param(memory, None), None) == memory  # type: ignore[arg-type]


def test_a_good_intent_recovers_whatever_was_forgotten_of_it() -> None:
    memory = warmed(0.95)
    forgotten = replace(memory.intents["print-i0"], is_breached=False)
    memory = replace(memory, intents={**memory.intents, "print-i0": forgotten})
    assert finding(decide("s", steady(1.0, number=42), memory, POLICY), "intent", "s/i0") is Finding.RECOVERED
