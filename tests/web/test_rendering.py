"""How numbers and times are written, and that no template can forget to escape."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from monitor.web import rendering
from monitor.web.rendering import Templates
from tests.web.examples import T0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.4, "0.40 s"),
        (42.4, "42 s"),
        (59.9, "60 s"),
        (150, "2 min"),
        (3600, "1 h 0 min"),
        (3e5, "3 days"),
    ],
)
def test_durations_are_written_in_fitting_units(value: float | None, shown: str) -> None:
    assert rendering.seconds(value) == shown


def test_what_was_not_measured_is_a_dash_and_never_zero() -> None:
    assert (rendering.number(None), rendering.percent(None), rendering.moment(None)) == ("–", "–", "–")


def test_times_are_told_in_utc_whatever_their_zone() -> None:
    at = datetime(2026, 3, 1, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    assert rendering.moment(at) == '<time datetime="2026-03-01T12:00:00+00:00">2026-03-01 12:00:00 UTC</time>'


def test_links_stand_under_the_path_of_the_public_url_and_quote_what_they_name() -> None:
    templates = Templates("https://example.org/monitor/", lambda: T0)
    assert templates.link("checks", "a/../b?c") == "/monitor/checks/a%2F..%2Fb%3Fc"


def test_an_expression_is_revealed_and_escaped_in_every_template() -> None:
    page = Templates(None, lambda: T0).page("error.html", code=404, title="<b>\u202e", text="")
    assert "<h1>&lt;b&gt;⟦U+202E⟧</h1>" in bytes(page.body).decode()
