"""What messages say to people: what was measured, and nothing of a stranger's that comes alive."""

from __future__ import annotations

import pytest

from monitor.notify.wording import measured, plain
from tests.notify.samples import MEASURED, make_alert


def test_what_was_measured_is_told_with_what_it_was_before() -> None:
    told = dict(measured(make_alert(**MEASURED)))
    assert told["Average"] == "0.612, 0.580 to 0.640 (threshold 0.700)"
    assert told["Fall"] == "0.120 since 2026-01-01 12:00 UTC"
    assert told["Assistant"] == "errors 12.0% (before 1.0%), answers in 2.1 s"


def test_what_was_not_measured_is_left_out() -> None:
    assert set(dict(measured(make_alert()))) == {"Average", "Success rate"}


@pytest.mark.parametrize("live", ["<!channel>", "<@U123>", "<https://evil|Approve>", "`x`", "@here", "https://evil"])
def test_plain_text_has_nothing_that_a_client_would_bring_to_life(live: str) -> None:
    shown = plain(f"said {live}", 100)
    assert not any(sequence in shown for sequence in ("<", "`", "://", "@U", "@h"))
