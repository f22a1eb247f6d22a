"""Scores held against labels: figures where there are enough, and the arithmetic where there are not."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.agreement import Estimate
from monitor.calibration import Calibration, TargetAgreement
from monitor.score import ComponentScore, ItemScore, Score
from monitor.studies.calibrate import (
    Measured,
    Unlabelled,
    averaged,
    calibrate,
    group_names,
    number_of,
    propose,
    too_few,
)
from monitor.studies.labels import Label
from monitor.studies.lines import NEUTRAL, Given, read_case

AT = datetime(2026, 3, 1, tzinfo=UTC)
WEIGHTS = {"task": 0.5, "conduct": 0.1}


def scored(task: float | None, conduct: float = 1.0, item: float = 1.0) -> Score:
    value = None if task is None else (0.5 * task + 0.1 * conduct) / 0.6
    polite = ItemScore(id="polite", kind="judge", value=item, reason="")
    return Score(
        value=value,
        reason="" if task is not None else "task: no items",
        gate=1.0,
        components=(
            ComponentScore(name="task", value=task, reason="no items", items=(polite,)),
            ComponentScore(name="conduct", value=conduct),
        ),
    )


def measured(score: Score, label: float, number: int = 0, target: str = "score") -> Measured:
    said = Label(line=number, value=label, target=target, conversation=f"v{number}")
    return Measured(label=said, score=score, intent_id=f"intent{number % 8}")


def labelled(n: int, noise: float = 0.1) -> list[Measured]:
    """People who look at the task alone."""
    draw = random.Random(2)
    found = []
    for number in range(n):
        task, conduct = draw.random(), draw.random()
        label = min(1.0, max(0.0, task + draw.gauss(0, noise)))
        found.append(measured(scored(task, conduct), label, number))
    return found


def run(*pairs: Measured, stored: Unlabelled | None = None, not_scored: dict[str, int] | None = None) -> Calibration:
    return calibrate(
        pairs,
        WEIGHTS,
        stored or Unlabelled(),
        calibration_id="k",
        at=AT,
        epoch="e1",
        not_scored=not_scored or {},
    )


def only(found: Calibration) -> TargetAgreement:
    (target,) = found.targets
    return target


def number(estimate: Estimate | None) -> float:
    assert estimate is not None
    assert estimate.value is not None
    return estimate.value


def test_scores_that_follow_the_labels_are_told_with_n_and_base_rate() -> None:
    target = only(run(*labelled(80)))
    assert (target.target, target.n, target.reason) == ("score", 80, "")
    assert target.base_rate == target.good / 80
    assert number(target.spearman) > 0.8
    assert number(target.auc) > 0.9
    assert 0.4 < number(target.kappa) < 1.0


def test_the_share_that_people_would_pass_is_of_the_stored_conversations() -> None:
    good = [measured(scored(0.9 if n % 10 else 0.1), 1.0, n) for n in range(40)]  # sensitivity .9
    bad = [measured(scored(0.1 if n % 5 else 0.9), 0.0, 40 + n) for n in range(40)]  # specificity .8
    target = only(run(*good, *bad, stored=Unlabelled(passed=620, n=1000)))
    assert (number(target.sensitivity), number(target.specificity)) == (0.9, 0.8)
    assert number(target.pass_rate) == 0.62
    assert number(target.corrected_pass_rate) == pytest.approx(0.6)


def test_too_few_labels_are_refused_with_the_arithmetic() -> None:
    target = only(run(*labelled(12)))
    assert target.spearman is None
    assert target.reason.startswith("12 labelled conversations, ")
    assert "needs 30 with 10 of each kind: from 12, a correlation of 0.50 could be anything from -0.14 to" in (
        target.reason
    )
    assert not run(*labelled(12)).is_measured


@pytest.mark.parametrize(("good", "bad", "enough"), [(20, 10, True), (21, 9, False), (15, 14, False), (2, 0, False)])
def test_labels_are_enough_from_thirty_with_ten_of_each_kind(good: int, bad: int, enough: bool) -> None:
    assert (too_few(good, bad) == "") is enough


def test_a_label_of_an_item_or_a_component_is_held_against_that_number() -> None:
    score = scored(0.2, conduct=0.7, item=0.9)
    found = [number_of(score, target) for target in ("polite", "conduct", "task")]
    assert [(one.value, one.passed) for one in found if not isinstance(one, str)] == [
        (0.9, True),
        (0.7, True),
        (0.2, False),
    ]
    assert number_of(score, "gone") == "nothing is called gone"


def test_a_score_passes_only_with_its_critical_items() -> None:
    failed = ItemScore(id="must", kind="judge", value=0.0, reason="", critical=True)
    score = Score(value=0.9, reason="", gate=1.0, components=(ComponentScore(name="t", value=0.9, items=(failed,)),))
    found = number_of(score, "score")
    assert not isinstance(found, str)
    assert (found.value, found.passed) == (0.9, False)


def test_what_has_no_score_is_counted_by_its_reason_and_never_a_zero() -> None:
    found = run(*labelled(40), measured(scored(None), 1.0, 41), not_scored={"the intent has changed": 2})
    assert found.labels == 43
    assert only(found).n == 40
    assert found.not_scored == {"the intent has changed": 2, "score not measured: task: no items": 1}


def test_proposed_weights_follow_the_labels_and_sum_to_one() -> None:
    fit = propose(labelled(120), WEIGHTS)
    assert fit.weights is not None
    assert sum(fit.weights.values()) == pytest.approx(1.0)
    assert fit.weights["task"] > 0.9
    assert number(fit.out_of_fold) <= number(fit.in_sample) + 0.02
    assert number(fit.as_configured) < number(fit.out_of_fold)


def test_no_weights_are_proposed_from_too_few_labels_or_for_one_component() -> None:
    few = propose(labelled(20), WEIGHTS)
    assert few.weights is None
    assert few.reason == ("20 labelled conversations have all of conduct, task; 15 for each and 30 at least make 30")
    assert propose(labelled(60), {"task": 1.0}).reason == "a single component has nothing to be weighed against"


def test_no_weights_are_proposed_where_nothing_rises_with_the_labels() -> None:
    against = [
        measured(scored(one.score.components[0].value, one.score.components[0].value or 0.0), 1 - one.label.value, n)
        for n, one in enumerate(labelled(60))
    ]
    assert propose(against, WEIGHTS).reason == "no component rises with the labels"


def test_several_labels_of_one_conversation_count_as_one_for_each_target() -> None:
    pairs = labelled(40)
    again = [replace(one, label=replace(one.label, line=100 + one.label.line)) for one in pairs]
    assert only(run(*pairs, *again)) == only(run(*pairs))
    assert run(*pairs, *again).labels == 80
    assert only(run(*pairs, *[again[0]] * 500)).n == 40


def test_the_label_of_a_conversation_is_the_mean_of_what_people_said() -> None:
    said = [measured(scored(0.9), value, 1) for value in (1.0, 0.2, 0.0)]
    other = measured(scored(0.9), 1.0, 1, "task")
    assert [(one.label.target, one.label.value) for one in averaged([*said, other])] == [
        ("score", pytest.approx(0.4)),
        ("task", 1.0),
    ]


def test_labels_of_the_same_words_in_a_file_are_of_one_conversation() -> None:
    def given(line: int, reply: str, name: str = "a") -> Label:
        messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": reply}]
        found = read_case(line, {"id": name, "messages": messages}, lambda _: NEUTRAL, at=AT)
        assert isinstance(found, Given)
        return Label(line=line, value=1.0, target="score", conversation=found)

    assert given(1, "good day").key == given(2, "good day").key
    assert len({given(1, "good day").key, given(1, "bye").key, given(1, "good day", "b").key}) == 3


def test_the_fit_keeps_a_conversation_in_one_fold_where_there_are_few_intents() -> None:
    def fit_of(intents: int) -> list[str]:
        pairs = [replace(one, intent_id=f"i{n % intents}") for n, one in enumerate([*labelled(40), *labelled(40)])]
        return group_names(pairs)

    assert fit_of(5) == [f"i{n % 5}" for n in range(80)]
    few = fit_of(4)
    assert len(set(few)) == 40
    assert few[:40] == few[40:]


@pytest.mark.parametrize(
    ("target", "kind", "judged"),
    [("score", "judge", 40), ("task", "judge", 40), ("polite", "judge", 40), ("score", "forbidden", 0)],
)
def test_a_calibration_says_in_how_many_numbers_a_judge_had_a_part(target: str, kind: str, judged: int) -> None:
    def of_kind(one: Measured) -> Measured:
        task, conduct = one.score.components
        items = tuple(replace(item, kind=kind) for item in task.items)
        score = replace(one.score, components=(replace(task, items=items), conduct))
        return replace(one, score=score, label=replace(one.label, target=target))

    assert only(run(*map(of_kind, labelled(40)))).judged == judged


def test_a_component_that_no_judge_answered_says_nothing_of_one() -> None:
    assert only(run(*[replace(one, label=replace(one.label, target="conduct")) for one in labelled(40)])).judged == 0
