"""JSON values: counted, and compared as JSON Schema compares them."""

from __future__ import annotations

import pytest

from monitor.json_values import canonical, count_values


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (1, 1.0, True),
        (1e300, int(1e300), True),
        (0, -0.0, True),
        (1, True, False),
        (0, False, False),
        (1, "1", False),
        (None, "null", False),
        ({"a": 1, "b": [2.0]}, {"b": [2], "a": 1}, True),
        ([1, 2], [2, 1], False),
        ([True], [1], False),
    ],
)
def test_equal_values_are_one_text_and_others_are_not(one: object, other: object, is_same: bool) -> None:
    assert (canonical(one) == canonical(other)) is is_same


def test_every_value_counts_and_names_do_not() -> None:
    assert count_values({"a": [1, {"b": None}], "c": ""}, 99) == 6


def test_counting_ends_just_beyond_what_is_asked() -> None:
    assert count_values([[0] * 1000] * 1000, 10) == 11
