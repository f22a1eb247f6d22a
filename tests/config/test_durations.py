"""Durations and sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.durations import LONGEST_SECONDS, format_duration, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("4h", 14400), ("90s", 90), ("1h30m", 5400), ("1.5m", 90), ("250ms", 0.25), ("2d", 172800), ("0s", 0)],
)
def test_a_duration_is_numbers_with_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("value", [60, 1.5, "60", "", "4 h", "h", "30m1h", "1h1h", "-5s", "4H", "٣h", True, None, []])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="write 4h, 90s or 1h30m"):
        parse_duration(value)


def test_a_number_is_told_that_it_lacks_a_unit() -> None:
    with pytest.raises(ValueError, match="a duration without a unit"):
        parse_duration(60)


def test_a_duration_beyond_all_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="ten years"):
        parse_duration("99999999999d")


@pytest.mark.parametrize(("text", "size"), [("1MB", 10**6), ("512KB", 512_000), ("1MiB", 2**20), ("10B", 10)])
def test_a_size_is_a_number_with_a_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("value", [1000, "1000", "1 MB", "1mb", "0MB", "-1MB", "999999999GB", None, True])
def test_what_is_no_size_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_size(value)


@given(st.integers(0, int(LONGEST_SECONDS) * 1000))
def test_a_formatted_duration_reads_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        assert 0 <= parse_duration(text) <= LONGEST_SECONDS
    except ValueError as exc:
        assert "write" in str(exc)
