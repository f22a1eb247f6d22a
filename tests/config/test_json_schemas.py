"""JSON schemas of items: what cannot be used is refused when it is read, never when an answer is scored."""

from __future__ import annotations

import pytest

from monitor.config.json_schemas import check_schema
from monitor.scorers.json_items import problem_of

DRAFT7 = "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"$ref": "#/$defs/order"}, "refers to '#/\\$defs/order', which is not in it"),
        ({"items": {"$ref": "#order"}}, "refers to '#order', which is not in it"),
        ({"$dynamicRef": "#order"}, "refers to '#order', which is not in it"),
        ({"allOf": [{"$ref": "#/allOf/one"}]}, "refers to '#/allOf/one', which is not in it"),
        ({"$schema": DRAFT7, "items": {"$ref": "#/definitions/a"}}, "refers to '#/definitions/a'"),
        ({"$ref": "#/a", "a": {"properties": {"b": {"$ref": "#/c"}}}}, "refers to '#/c', which is not in it"),
        ({"$ref": "#/a", "a": "text"}, "refers to '#/a', which is no schema; write an object there"),
        ({"$ref": "#/a", "a": {"type": "banana"}}, r"not a JSON schema: #/a\['type'\]"),
        ({"$ref": "https://shop.example/order.json"}, "refers to another document"),
        ({"type": "banana"}, r"not a JSON schema: \['type'\]"),
        ({"$schema": "https://shop.example/schema"}, "a JSON schema of an unknown kind"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_schema(schema)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}},
        {"$ref": "#/$defs/a%20b", "$defs": {"a b": {"type": "object"}}},
        {"$ref": "#a", "$defs": {"x": {"$anchor": "a", "type": "object"}}},
        {"$dynamicRef": "#a", "$defs": {"x": {"$dynamicAnchor": "a", "type": "object"}}},
        {"type": "object", "properties": {"next": {"$ref": "#"}}},
        {"$schema": DRAFT7, "$ref": "#/definitions/a", "definitions": {"a": {"type": "object"}}},
        {"$id": "https://shop.example/order", "$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}},
        {"type": "object", "const": {"$ref": "#/nothing"}},
        {"type": "object", "properties": {"$ref": {"type": "string"}}},
    ],
)
def test_a_schema_that_is_whole_is_taken_and_can_be_used(schema: dict[str, object]) -> None:
    assert check_schema(schema) == schema  # type: ignore[arg-type]
    assert problem_of("text", schema)
