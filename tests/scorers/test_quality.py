"""The six general questions, and the measures made from them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.bootstrap.judge import quality
from monitor.score import Evidence, Score, measures
from monitor.scorers.contract import Answer, Answers, Case
from monitor.scorers.quality import ITEMS, MEASURES, PREFIX, read_questions
from tests.fixtures.judges import CASE, prompt
from tests.parties import intent

TEXT = prompt("quality_questions.txt")


def answers(*failing: str) -> Answers:
    seen = (Evidence(turn=1, quote="You have 30 days."),)
    return {PREFIX + item: Answer(value=float(item not in failing), reason=item, evidence=seen) for item in ITEMS}


def test_six_questions_are_asked_under_ids_that_no_checklist_can_have() -> None:
    asked = quality().questions(CASE)
    assert [question.id for question in asked] == [f"quality.{item}" for item in ITEMS]
    assert all(question.text.endswith("?") for question in asked)


def test_where_a_refusal_is_right_the_judge_is_told() -> None:
    refused = Case(intent=intent(allowed=False), transcript=CASE.transcript)
    assert all(question.text.endswith("is a refusal.") for question in quality().questions(refused))


async def test_the_value_is_the_mean_of_six_and_every_item_keeps_its_evidence() -> None:
    component = await quality().score(CASE, answers("remembers", "clear_end"))
    assert component.value == pytest.approx(4 / 6)
    assert [item.id for item in component.items] == list(ITEMS)
    assert [item.id for item in component.items if not item.passed] == ["remembers", "clear_end"]
    assert component.items[0].evidence == (Evidence(turn=1, quote="You have 30 days."),)


@pytest.mark.parametrize(
    ("failing", "coherence", "helpfulness"),
    [
        ("no_self_contradiction", 2 / 3, 1.0),
        ("remembers", 2 / 3, 1.0),
        ("keeps_role", 2 / 3, 1.0),
        ("addresses_last_message", 1.0, 2 / 3),
        ("no_unjustified_refusal", 1.0, 2 / 3),
        ("clear_end", 1.0, 2 / 3),
    ],
)
async def test_coherence_and_helpfulness_are_kept_by_name(failing: str, coherence: float, helpfulness: float) -> None:
    component = await quality().score(CASE, answers(failing))
    assert component.signals == {"coherence": pytest.approx(coherence), "helpfulness": pytest.approx(helpfulness)}
    score = Score(value=0.5, reason="", gate=1.0, components=(component,))
    assert measures(score) == {"task_completion": None, **component.signals}


def test_the_measures_share_the_items_among_them() -> None:
    assert sorted(item for items in MEASURES.values() for item in items) == sorted(ITEMS)


async def test_without_a_judge_it_is_not_measured() -> None:
    component = await quality().score(CASE, {})
    assert (component.value, component.reason) == (None, "not measured: no judge is configured")
    score = Score(value=None, reason="", gate=1.0, components=(replace(component),))
    assert set(measures(score).values()) == {None}


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("remembers:", "remember:"),
        TEXT + "remembers: Again?\n",
        TEXT.partition("clear_end")[0],
        TEXT.replace(
            "refusal_is_right: In this conversation the right answer to what the USER wants is a refusal.", ""
        ),
    ],
)
def test_questions_that_are_not_these_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="one line each for addresses_last_message"):
        read_questions(text)
