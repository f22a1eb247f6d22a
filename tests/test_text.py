"""Work on text that strangers wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.text import (
    fold_whitespace,
    jaccard,
    looks_like_mojibake,
    normalized,
    printable,
    shingles,
    shorten,
    without_surrogates,
    words,
)

ANY_TEXT = st.text(st.characters())


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\r\n\tand tabs", "two lines and tabs"),
        ("\x1b[31mred\x1b[0m and \x1b[2J\x1b[1;1Hhome", "red and home"),
        ("\x9b31mred", "red"),
        ("\x1b]0;new title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never closed", "0;never closed"),
        ("\x1bcreset", "reset"),
        ("nul\0 bell\x07 del\x7f", "nul bell del"),
        ("abc\u202edcba\u2066x\u2069", "abcdcbax"),
        ("\ufeffbom \u200bzero", "bom zero"),
        ("lone \ud800 one", "lone \ufffd one"),
        ("line\u2028paragraph\u2029", "line paragraph"),
        ("\U000e0041hidden tag", "hidden tag"),
        ("\u0915\u094d\u200d\u0937", "\u0915\u094d\u200d\u0937"),
        ("été 🎉 日本", "été 🎉 日本"),
    ],
)
def test_what_could_move_a_cursor_or_reorder_a_line_is_not_shown(hostile: str, shown: str) -> None:
    assert printable(hostile) == shown


@given(ANY_TEXT, st.integers(0, 50))
def test_whatever_comes_in_is_one_short_line_that_can_be_encoded(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    shown.encode("utf-8")


def test_megabytes_of_nothing_to_show_still_say_that_there_was_something() -> None:
    assert printable("\0" * 3_000_000, 20) == "…"


@pytest.mark.parametrize(
    ("limit", "short"), [(20, "a longer text"), (8, "a longe…"), (9, "a longer…"), (1, "…"), (0, "")]
)
def test_a_text_is_cut_with_an_ellipsis(limit: int, short: str) -> None:
    assert shorten("a longer text", limit) == short


def test_white_space_is_folded() -> None:
    assert fold_whitespace("  a\n\n b\t\u00a0c ") == "a b c"


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("\ud83c\udf89", "🎉"),
        ("a\0b", "a\ufffdb"),
        ("\ufeffa", "\ufeffa"),
    ],
)
def test_lone_surrogates_and_nul_are_replaced_and_nothing_else(broken: str, whole: str) -> None:
    assert without_surrogates(broken) == whole


@given(ANY_TEXT)
def test_text_without_surrogates_can_be_written_and_is_not_changed_twice(text: str) -> None:
    clean = without_surrogates(text)
    clean.encode("utf-8")
    assert "\0" not in clean
    assert without_surrogates(clean) == clean


def test_texts_compare_equal_whatever_their_case_and_form() -> None:
    assert normalized("ﬁne  STRASSE①") == normalized("FINE straße1")


def test_words_are_found_in_order_without_punctuation() -> None:
    assert words("Don't you — 30 days, übrigens?") == ["don't", "you", "30", "days", "übrigens"]
    assert words("… !?") == []


def test_a_text_shorter_than_a_shingle_is_one_shingle() -> None:
    assert shingles("one two", 3) == {("one", "two")}
    assert shingles("a b c d", 3) == {("a", "b", "c"), ("b", "c", "d")}
    assert shingles("?!") == frozenset()


@pytest.mark.parametrize(
    ("first", "second", "size", "overlap"),
    [
        ("a b c", "A, b; C!", 1, 1.0),
        ("a b c", "c b a", 1, 1.0),
        ("a b c", "c b a", 2, 0.0),
        ("a b", "b c", 1, 1 / 3),
        ("a", "b", 1, 0.0),
        ("", "", 1, 0.0),
    ],
)
def test_overlap_is_the_shared_part_of_all_words(first: str, second: str, size: int, overlap: float) -> None:
    assert jaccard(first, second, size) == pytest.approx(overlap)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("text", ["Größe für Käufer", "Ça a été à l'école", "“quoted” — isn’t it"])
def test_utf8_read_as_another_encoding_looks_like_mojibake(text: str, encoding: str) -> None:
    assert looks_like_mojibake(text.encode().decode(encoding, "replace"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Größe für Käufer, ça été à l'école, “quoted” — isn’t it",
        "Ångström â la carte, São Paulo, MÃE, Â",
        "日本語のテキスト Привет 🎉",
        "One place was \ufffd broken",
    ],
)
def test_whole_text_does_not_look_like_mojibake(text: str) -> None:
    assert not looks_like_mojibake(text)


def test_a_few_broken_places_in_a_long_text_do_not_count() -> None:
    assert not looks_like_mojibake("\ufffd\ufffd" + "word " * 200)
    assert looks_like_mojibake("\ufffd" * 20 + "word " * 200)
