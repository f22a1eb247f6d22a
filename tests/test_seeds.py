"""Seeds: fixed for ever, different for every part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.seeds import derive

PARTS = st.lists(st.one_of(st.integers(), st.text(), st.none()), min_size=1, max_size=4)


def test_a_seed_is_what_it_has_always_been() -> None:
    assert derive(1, "returns", None, 0, 1) == 4179409510866782692


@given(PARTS, PARTS)
def test_other_parts_give_another_seed(first: list[int | str | None], second: list[int | str | None]) -> None:
    assert (derive(*first) == derive(*second)) == (first == second)
    assert 0 <= derive(*first) < 2**63


def test_parts_are_not_run_together() -> None:
    assert derive("ab", "c") != derive("a", "bc")
    assert derive(1) != derive("1")
