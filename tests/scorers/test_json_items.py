"""The dialects of JSON Schema, and patterns of theirs that take too long."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.errors import PatternTooSlow
from monitor.scorers.json_items import problem_of

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
