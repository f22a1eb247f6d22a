"""Cursors: each is a place, and each text of the form is a cursor."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.store.places import Place
from monitor.web.cursors import NUMBER, PLACE, number_from, number_text, place_from, place_text

times = st.datetimes(timezones=st.just(UTC))
ids = st.text(st.characters(codec="utf-8"), max_size=64)


@given(times, ids)
def test_a_place_comes_back_from_its_cursor(at: datetime, name: str) -> None:
    place = Place(at=at, id=name)
    assert re.fullmatch(PLACE, place_text(place))
    assert place_from(place_text(place)) == place


@given(st.from_regex(PLACE.rstrip("$"), fullmatch=True))
def test_each_text_of_the_form_is_a_place(text: str) -> None:
    place = place_from(text)
    assert place_from(place_text(place)) == place


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    for pattern, read in ((PLACE, place_from), (NUMBER, number_from)):
        if not re.fullmatch(pattern.rstrip("$"), text):
            with pytest.raises(ValueError, match="not a cursor of this list"):
                read(text)


@given(st.integers(0, 16**15 - 1))
def test_a_number_comes_back_from_its_cursor(number: int) -> None:
    assert number_from(number_text(number)) == number


@pytest.mark.parametrize("text", ["0" * 15 + ".\n", "0" * 15 + ".00\n", "٠" * 15 + ".", "0" * 15 + ".GG", None, 1.5])
def test_what_only_looks_like_a_cursor_is_none(text: object) -> None:
    with pytest.raises(ValueError, match="not a cursor"):
        place_from(text)
