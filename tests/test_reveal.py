"""Text that others wrote, made visible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.reveal import reveal, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u202egpj.exe", "⟦U+202E⟧gpj.exe"),
        ("\x1b[31mred\x00", "⟦U+001B⟧[31mred⟦U+0000⟧"),
        ("half \ud83d", "half ⟦U+D83D⟧"),
        ("a\u200bb", "a⟦U+200B⟧b"),
        ("tag \U000e0041", "tag ⟦U+E0041⟧"),
        ("one\r\ntwo\rthree", "one\ntwo⟦U+000D⟧three"),
    ],
)
def test_what_a_browser_would_hide_or_obey_is_spelled_out(text: str, shown: str) -> None:
    assert reveal(text) == shown


@pytest.mark.parametrize("text", ["tab\tand\nline", "مرحبا", "می\u200cخواهم", "👩\u200d🔧", "naïve – ok"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert reveal(text) == text


@given(st.text(st.characters(codec=None)))
def test_anything_revealed_can_be_sent_and_needs_no_second_look(text: str) -> None:
    shown = reveal(text)
    assert shown.encode().decode() == shown == reveal(shown)


def test_a_shortened_text_says_how_much_is_missing() -> None:
    assert shorten("x" * 10, 10) == "x" * 10
    assert shorten("x" * 1500, 4) == "xxxx… (1,496 more characters are not shown)"
