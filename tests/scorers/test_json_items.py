"""The dialects of JSON Schema, and patterns of theirs that take too long."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.errors import PatternTooSlow
from monitor.intent import JsonSchema
from monitor.scorers.json_items import MOST_VALUES, documents, problem_of, score_json_schema
from tests.parties import transcript

DRAFT_7 = "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize(
    ("schema", "document", "problem"),
    [
        ({"$schema": DRAFT_7, "items": [{"type": "string"}]}, ["a"], ""),
        ({"$schema": DRAFT_7, "items": [{"type": "string"}]}, [1], "$[0]: 1 is not of type 'string'"),
        ({"$schema": DRAFT_7, "dependencies": {"a": ["b"]}}, {"a": 1}, "$: 'b' is a dependency of 'a'"),
        (
            {"patternProperties": {"^n": {"type": "number"}}},
            {"name": "x", "other": "y"},
            "$.name: 'x' is not of type 'number'",
        ),
    ],
)
def test_a_schema_is_read_by_its_own_dialect(schema: dict[str, Any], document: object, problem: str) -> None:
    assert problem_of(document, schema) == problem


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        ({"pattern": "^(a|a)+$"}, "a" * 40 + "!"),
        ({"patternProperties": {"^(a|a)+$": {}}}, {"a" * 40 + "!": 1}),
    ],
)
def test_a_pattern_that_backtracks_is_given_up(schema: dict[str, Any], document: object) -> None:
    with pytest.raises(PatternTooSlow):
        problem_of(document, schema)


@pytest.mark.parametrize(
    ("document", "is_unique"),
    [
        ([1, True, "1", None], True),
        ([1, 1.0], False),
        ([{"a": 1, "b": 2}, {"b": 2.0, "a": 1}], False),
        ([[1], [True]], True),
        ({"no": "list"}, True),
    ],
)
def test_items_are_unique_as_json_schema_means_it(document: object, is_unique: bool) -> None:
    assert (problem_of(document, {"uniqueItems": True}) == "") is is_unique
    assert problem_of(document, {"uniqueItems": False}) == ""


class Looked(dict[str, Any]):
    """An object that counts how often one of them is looked into."""

    looks = 0

    def __len__(self) -> int:
        Looked.looks += 1
        return super().__len__()

    def __contains__(self, name: object) -> bool:
        Looked.looks += 1
        return super().__contains__(name)

    def __eq__(self, other: object) -> bool:
        Looked.looks += 1
        return super().__eq__(other)

    __hash__ = None


def test_unique_objects_are_looked_into_once_each_and_not_in_pairs() -> None:
    document = [Looked(a=number) for number in range(300)]
    assert problem_of(document, {"uniqueItems": True}) == ""
    assert Looked.looks <= 600


def test_json_that_is_too_large_is_not_held_against_the_schema() -> None:
    item = JsonSchema(id="j", schema={"type": "array"})
    fits, exceeds = (json.dumps([0] * count) for count in (MOST_VALUES - 1, MOST_VALUES))
    assert score_json_schema(item, transcript("?", fits)).value == 1.0
    scored = score_json_schema(item, transcript("?", exceeds))
    assert (scored.value, scored.reason) == (0.0, "too large: its JSON has over 10000 values")
    many = score_json_schema(JsonSchema(id="j", schema={"type": "object"}), transcript("?", "[0] " * MOST_VALUES))
    assert many.reason == "$: [0] is not of type 'object'"
    halves = " ".join(json.dumps([0] * (MOST_VALUES // 2)) for _ in range(2))
    assert score_json_schema(JsonSchema(id="j", schema={"type": "object"}), transcript("?", halves)).reason.startswith(
        "too large"
    )
    assert score_json_schema(item, transcript("?", exceeds, "again", "[1]")).value == 1.0


@pytest.mark.parametrize("text", ['{"a": 1}', ' {"a": 1}\n', '```json\n{"a": 1}\n```', 'so ```\n{"a": 1}``` it is'])
def test_a_document_is_found_once(text: str) -> None:
    assert list(documents(text)) == [{"a": 1}]


def test_a_text_that_begins_documents_without_end_is_given_up() -> None:
    vain = "[0," * 9 + "0," * 400_000 + "] "
    assert list(documents(vain + '{"a": 1}')) == []
    assert list(documents("[0, " * 9 + '{"a": 1}')) == [{"a": 1}]
