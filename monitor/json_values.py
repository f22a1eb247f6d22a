"""JSON values: how many there are in a document, and which are the same. Knows nothing of schemas and conversations."""

from __future__ import annotations

import json


def count_values(document: object, most: int) -> int:
    """The values in a document, itself and what is inside of it; counted no further than just beyond `most`."""
    count, open_ = 0, [document]
    while open_ and count <= most:
        value = open_.pop()
        count += 1
        if isinstance(value, list):
            open_ += value[: most + 1]
        elif isinstance(value, dict):
            open_ += list(value.values())[: most + 1]
    return count


def canonical(value: object) -> str:
    """A text that equal values share and others do not, in the sense of JSON Schema: numbers by their value (1 is 1.0),
    no truth value is a number, the order of an object's names is nothing. Raises RecursionError.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def is_same_json(left: str, right: str) -> bool:
    """Whether two texts are the same JSON, or, where one is no JSON, the same text."""
    if left == right:
        return True
    try:
        return canonical(json.loads(left)) == canonical(json.loads(right))
    except (ValueError, RecursionError):
        return False


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
