"""Checklist items that the transcript decides."""

from __future__ import annotations

import pytest

from monitor.intent import Forbidden, JsonSchema, JudgeQuestion, RequiredFact
from monitor.scorers.contract import Case
from monitor.scorers.facts import score_required_fact
from monitor.scorers.items import score_forbidden
from monitor.scorers.json_items import documents, score_json_schema
from monitor.scorers.numerals import numbers
from monitor.scorers.task import Task
from tests.parties import intent, transcript

SCHEMA = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    ("item", "replies", "value"),
    [
        (RequiredFact(id="f", patterns=("30 days",)), ["You have 30 DAYS.", "bye"], 1.0),
        (RequiredFact(id="f", patterns=("30 days",), turns="last"), ["You have 30 days.", "bye"], 0.0),
        (RequiredFact(id="f", patterns=("30 days", "a month")), ["a month, then"], 1.0),
        (RequiredFact(id="f", number=1250.5), ["It is 1,250.50 euros."], 1.0),
        (RequiredFact(id="f", number=1250.5), ["It is 1 250.5."], 1.0),
        (RequiredFact(id="f", number=12), ["It is 120, or 1.2, or A12."], 0.0),
        (RequiredFact(id="f", number=-3), ["It is \u22123 degrees."], 1.0),
        (RequiredFact(id="f", patterns=("30 days",)), [], 0.0),
    ],
)
def test_a_required_fact_is_looked_for_in_the_replies(item: RequiredFact, replies: list[str], value: float) -> None:
    talk = [text for reply in replies for text in ("30 days? 1250.5?", reply)]
    assert score_required_fact(item, transcript(*talk)).value == value


def test_evidence_names_the_turn_and_the_words() -> None:
    scored = score_required_fact(RequiredFact(id="f", patterns=("30.days",)), transcript("hi", "hm", "hi?", "30 Days!"))
    assert [(evidence.turn, evidence.quote) for evidence in scored.evidence] == [(3, "30 Days")]


def test_what_is_missing_is_said() -> None:
    scored = score_required_fact(RequiredFact(id="f", patterns=("a",), number=2), transcript("x", "y"))
    assert scored.reason == "not in any reply: /a/ or the number 2"


def test_forbidden_text_closes_the_gate_but_not_when_the_user_says_it() -> None:
    item = Forbidden(id="x", patterns=("free of charge",))
    said = score_forbidden(item, transcript("is it free?", "Free of charge!"))
    unsaid = score_forbidden(item, transcript("is it free of charge?", "No."))
    assert (said.value, said.closes_gate, said.critical, unsaid.value) == (0.0, True, True, 1.0)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"city": "Rome"}', 1.0),
        ('Here:\n```json\n{"city": "Rome"}\n```', 1.0),
        ('Sure, {"city": "Rome"} it is', 1.0),
        ('{"town": "Rome"}', 0.0),
        ("{broken", 0.0),
        ("[" * 1_000_000, 0.0),
        ("```json\n" + "\n" * 1_000_000, 0.0),
        ('{"city":' * 100_000, 0.0),
        ('{"city": Infinity}', 0.0),
        ('{"city": NaN}', 0.0),
        ("no json", 0.0),
    ],
)
def test_json_is_found_and_held_against_the_schema(reply: str, value: float) -> None:
    assert score_json_schema(JsonSchema(id="j", schema=SCHEMA), transcript("?", reply)).value == value


@pytest.mark.parametrize(
    ("schema", "reply"),
    [
        ({"properties": {"n": {"multipleOf": 0.01}}}, '{"n": 1e999}'),
        ({"$defs": {"l": {"items": {"$ref": "#/$defs/l"}}}, "$ref": "#/$defs/l"}, "[" * 900 + "]" * 900),
    ],
)
def test_a_document_that_breaks_the_validator_does_not_satisfy(schema: dict[str, object], reply: str) -> None:
    scored = score_json_schema(JsonSchema(id="j", schema=schema), transcript("?", reply))
    assert scored.value == 0.0
    assert "cannot be held against the schema" in scored.reason


def test_the_reason_of_wrong_json_is_the_validators() -> None:
    scored = score_json_schema(JsonSchema(id="j", schema=SCHEMA), transcript("?", '{"city": 3}'))
    assert scored.reason == "$.city: 3 is not of type 'string'"


def test_every_document_in_a_text_is_found_once_it_begins() -> None:
    assert list(documents('a {"b": [1]} c [2]')) == [{"b": [1]}, [2]]


def test_numbers_are_read_as_people_write_them() -> None:
    assert [value for value, _ in numbers("3, 1,000 or 12'500.25; v1.2.3 and x7")] == [3.0, 1000.0, 12500.25]


async def test_questions_for_a_judge_are_shown_and_left_out_without_one() -> None:
    question = JudgeQuestion(id="q", question="Is it polite?", critical=True)
    fact = RequiredFact(id="f", patterns=("yes",))
    case = Case(intent=intent(checklist=(fact, question)), transcript=transcript("?", "yes"))
    component = await Task().score(case, {})
    assert component.value == 1.0
    assert [(item.value, item.is_on) for item in component.items] == [(1.0, True), (None, False)]
    assert component.items[1].reason == "not measured: no judge is configured"
