"""Quotes found in texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.marking import Segment, marked


def found(text: str, *quotes: str) -> list[tuple[str, tuple[int, ...]]]:
    return [(segment.text, segment.quotes) for segment in marked(text, quotes)]


def test_a_quote_is_marked_where_it_stands() -> None:
    assert found("within 30 days.", "30 days") == [("within ", ()), ("30 days", (0,)), (".", ())]


def test_quotes_that_overlap_share_a_stretch() -> None:
    assert found("abcd", "abc", "bcd") == [("a", (0,)), ("bc", (0, 1)), ("d", (1,))]


@pytest.mark.parametrize("quote", ["30\n Days", "30 DAYS", " 30 days "])
def test_white_space_and_case_may_differ(quote: str) -> None:
    assert found("within 30 days.", quote) == [("within ", ()), ("30 days", (0,)), (".", ())]


@pytest.mark.parametrize(
    ("text", "quote", "marking"),
    [
        ("a  b\n\nc", "B c", "b\n\nc"),
        ("x  Straße 5 x", "STRAßE  5", "Straße 5"),
        ("İzmir  ve İstanbul", "ve  İstanbul", "ve İstanbul"),
        ("Ο ΛΟΓΟΣ, ναι", "λόγος ο", ""),
        ("Ο ΛΟΓΟΣ, ναι", "ο  λογος", "Ο ΛΟΓΟΣ"),
        ("halfway there", "WAY  the", "way the"),
        (" \t ", "a", ""),
    ],
)
def test_places_are_those_of_the_text_itself(text: str, quote: str, marking: str) -> None:
    assert "".join(segment.text for segment in marked(text, [quote]) if segment.quotes) == marking


@pytest.mark.timeout(20)
@pytest.mark.parametrize("letters", ["a ", "a\u2003\u2003", "a" + " " * 50])
def test_a_hostile_text_takes_no_time(letters: str) -> None:
    text = letters * (100_000 // len(letters))
    assert marked(text, ["a " * 990 + "b"] * 50) == (Segment(text),)


@pytest.mark.parametrize("quote", ["", " \n", "12.5 s", "(", "30 days off"])
def test_what_is_not_there_marks_nothing(quote: str) -> None:
    assert found("within 30 days.", quote) == [("within 30 days.", ())]


def test_only_the_first_place_is_marked() -> None:
    assert found("no, no", "no") == [("no", (0,)), (", no", ())]


def test_an_empty_text_has_no_stretch() -> None:
    assert marked("", ["a"]) == ()


@given(st.text(max_size=30), st.lists(st.text(max_size=8), max_size=4))
def test_the_stretches_are_the_text(text: str, quotes: list[str]) -> None:
    segments = marked(text, quotes)
    assert "".join(segment.text for segment in segments) == text
    assert Segment("") not in segments
