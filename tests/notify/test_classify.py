"""What a status and a Retry-After mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.notify.classify import LONGEST_WAIT_SECONDS, SHORTEST_WAIT_SECONDS, refused, retry_after_seconds
from monitor.notify.contract import Permanent, Retry

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        ("1.5", 1.5),
        (" 30 ", 30.0),
        ("0", SHORTEST_WAIT_SECONDS),
        ("99999", LONGEST_WAIT_SECONDS),
        ("9" * 400, LONGEST_WAIT_SECONDS),
        (format_datetime(NOW + timedelta(seconds=42), usegmt=True), 42.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), SHORTEST_WAIT_SECONDS),
        ("Thu, 01 Jan 2026 12:01:00 -0000", 60.0),
        *((garbage, None) for garbage in (None, "", "soon", "-5", "nan", "inf", "1_000", "٣", "1e3", "2 s")),
    ],
)
def test_retry_after_is_read_in_each_of_its_forms_and_clamped(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@given(st.one_of(st.text(), st.from_regex(r"\A\w{3}, \d{1,12} \w{3} \d{1,12} \d\d:\d\d:\d\d [+-]\d{4}\Z")))
def test_no_retry_after_raises_or_leaves_the_bounds(header: str) -> None:
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or SHORTEST_WAIT_SECONDS <= seconds <= LONGEST_WAIT_SECONDS


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 301, 204])
def test_a_status_that_may_get_better_is_retried(status: int) -> None:
    assert refused(status, "7", NOW, "busy") == Retry(7.0, f"HTTP {status}: busy")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
def test_a_status_that_blames_the_request_is_permanent(status: int) -> None:
    assert refused(status, "7", NOW, "") == Permanent(f"HTTP {status}")
