"""Section `maintenance`: what windows there are, and what is refused or warned of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.config import describe, summarize
from monitor.maintenance import Again, Maintenance, Once
from monitor.schedule import Cron
from tests.config.samples import CONFIG, loaded, problems

NOW = datetime(2026, 3, 1, 13, 30, tzinfo=UTC)
ONCE = (
    "{name: move, scopes: [baseline/overall], starts_at: '2026-03-02T22:00+01:00', ends_at: '2026-03-03T01:00+01:00'}"
)
AGAIN = "{name: nightly, scopes: ['baseline/*'], cron: '0 2 * * *', timezone: Europe/Berlin, for: 2h}"


def written(*windows: str) -> str:
    return f"{CONFIG}maintenance: [{', '.join(windows)}]\n"


def test_windows_come_once_or_again_and_again(tmp_path: Path) -> None:
    once, again = loaded(tmp_path, written(ONCE, AGAIN)).maintenance
    when = Once(starts_at=datetime(2026, 3, 2, 21, tzinfo=UTC), ends_at=datetime(2026, 3, 3, tzinfo=UTC))
    assert once == Maintenance(name="move", scopes=("baseline/overall",), when=when)
    assert again.when == Again(cron=Cron("0 2 * * *", "Europe/Berlin"), lasting=timedelta(hours=2))


def test_the_page_tells_when_it_will_be_quiet(tmp_path: Path) -> None:
    page = describe(loaded(tmp_path, written(ONCE, AGAIN)), NOW)
    assert "quiet      move: baseline/overall from 2026-03-02 21:00 to 2026-03-03 00:00 UTC" in page
    assert "nightly: baseline/*, cron 0 2 * * * (Europe/Berlin) for 2h, next 2026-03-02T01:00+00:00, " in page


def test_the_page_tells_that_it_is_quiet_now(tmp_path: Path) -> None:
    page = describe(loaded(tmp_path, written(AGAIN)), datetime(2026, 3, 2, 1, 30, tzinfo=UTC))
    assert "for 2h, holds until 2026-03-02T03:00+00:00, next" in page


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ("{name: x, scopes: ['*']}", "needs either starts_at and ends_at, or cron and for"),
        ("{name: x, scopes: ['*'], cron: '0 2 * * *'}", "needs either starts_at and ends_at, or cron and for"),
        (ONCE[:-1] + ", cron: '0 2 * * *', for: 1h}", "needs either starts_at and ends_at, or cron and for"),
        (ONCE[:-1] + ", timezone: Europe/Berlin}", "needs either starts_at and ends_at, or cron and for"),
        (ONCE.replace("03-03T01", "03-02T22"), "ends_at: is not later than starts_at, so it never comes"),
        (ONCE.replace("+01:00", "", 1), "not a time with its zone; write '2026-03-01T22:00+01:00'"),
        (ONCE.replace("'2026-03-03T01:00+01:00'", "soon"), "ends_at: not a time with its zone"),
        (
            AGAIN.replace("2h", "25h"),
            "for: is longer than the shortest time between two of its starts; write 1d or less",
        ),
        (AGAIN.replace("0 2 * * *", "0 2,3 * * 1"), "for: is longer than the shortest time between two of its starts"),
        (AGAIN.replace("0 2 * * *", "0 2 30 2 *"), "cron: not a cron expression"),
        (AGAIN.replace("2h", "367d"), "for: is longer than a year; write 366d or less"),
        (AGAIN.replace("Europe/Berlin", "Mars/Base"), "timezone: no such time zone"),
        (AGAIN.replace("['baseline/*']", "[]"), "scopes: needs 1 or more entries"),
        (AGAIN.replace("baseline/*", " "), "is blank; write a scope such as shop/overall"),
        (f"{AGAIN}, {AGAIN}", "several windows are called nightly; give each a name of its own"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(tmp_path: Path, window: str, problem: str) -> None:
    (line,) = problems(tmp_path, written(window))
    assert problem in line
    assert line.startswith("monitor.yaml:")


def test_a_window_that_fits_between_its_starts_is_taken(tmp_path: Path) -> None:
    assert loaded(tmp_path, written(AGAIN.replace("0 2 * * *", "0 2,6 * * 1"))).maintenance


def warned(folder: Path, window: str) -> list[str]:
    warnings = summarize(loaded(folder, written(window)), NOW)["warnings"]
    return [warning for warning in warnings if warning.startswith("maintenance")]


@pytest.mark.parametrize(
    ("window", "warnings"),
    [
        (ONCE, []),
        (AGAIN, []),
        (
            AGAIN.replace("baseline/*", "basline/*"),
            [
                "maintenance.nightly: basline/* matches no scope; "
                "there are baseline/overall, baseline/returns, monitor/canaries, ..."
            ],
        ),
        (
            AGAIN.replace("2h", "24h"),
            ["maintenance.nightly: begins anew as it ends, so nobody is ever told of baseline/*; write a shorter for"],
        ),
        (
            ONCE.replace("2026", "2025"),
            ["maintenance.move: has been over since 2025-03-03 00:00 UTC; remove it, or plan it anew"],
        ),
    ],
)
def test_what_is_probably_not_meant_is_warned_of(tmp_path: Path, window: str, warnings: list[str]) -> None:
    assert warned(tmp_path, window) == warnings
