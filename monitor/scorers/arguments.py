"""Whether the arguments of a tool call are the expected ones. Knows nothing of conversations.

Compared as values: numbers by their value, also where one side wrote them as text; text without regard to case, white
space and compatibility forms; lists element by element; of an object, what is expected must be there and more may be.
A null that is expected may be left out. Nothing else is taken for the same: no truth value for a text, no list for
one of its elements, no other order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence

from monitor.text import normalized

Redact = Callable[[str], str]


def read_arguments(text: str) -> object:
    """The arguments as received; an empty text is no arguments. None where they are no JSON."""
    try:
        return json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return None


def matches(expected: object, given: object, redact: Redact) -> bool:
    """Whether `given` holds what is expected. Where redaction has hidden a text, what is expected is hidden too."""
    if isinstance(expected, Mapping):
        return isinstance(given, Mapping) and not differences(expected, given, redact)
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return (
            isinstance(given, Sequence)
            and not isinstance(given, str)
            and len(expected) == len(given)
            and all(matches(one, other, redact) for one, other in zip(expected, given, strict=True))
        )
    if isinstance(expected, bool) or isinstance(given, bool) or expected is None or given is None:
        return expected is given
    if isinstance(expected, str) and isinstance(given, str):
        return _is_same_text(expected, given, redact)
    left, right = _number(expected), _number(given)
    return left is not None and right is not None and math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)


def differences(expected: Mapping[str, object], given: Mapping[str, object], redact: Redact) -> list[str]:
    """The names of the expected arguments that are not as expected."""
    return [name for name, value in expected.items() if not matches(value, given.get(name), redact)]


def _is_same_text(expected: str, given: str, redact: Redact) -> bool:
    return normalized(given) in (normalized(expected), normalized(redact(expected)))


def _number(value: object) -> float | None:
    """The number that is meant; at least one of two values that are compared is none of text."""
    if not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
