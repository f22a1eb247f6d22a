"""Days as people write them in English."""

from __future__ import annotations

from datetime import date

import pytest

from monitor.intent import RequiredFact
from monitor.scorers.dates import dates
from monitor.scorers.facts import score_required_fact
from tests.parties import T0, transcript

DAY = date(2026, 3, 3)
SAID_ON = T0.date()


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-03",
        "2026/3/3",
        "2026-03-03T10:00Z",
        "March 3, 2026",
        "Mar. 3rd 2026",
        "March the 3rd, 2026",
        "3 March 2026",
        "the 3rd of March, 2026",
        "Tuesday, 3 March 2026",
        "3-Mar-2026",
        "03/03/2026",
        "3/3/26",
        "03.03.2026",
        "the 3rd of March",
        "March 3",
    ],
)
def test_a_day_is_found_however_it_is_written(text: str) -> None:
    scored = score_required_fact(RequiredFact(id="f", date=DAY), transcript("?", f"It ends on {text}."))
    assert scored.value == 1.0, text


@pytest.mark.parametrize(
    "text",
    ["March 3, 2025", "March 30", "March 2026", "3 May 2026", "2026-03-31", "1.3.2026.3", "30 March", "v2026.3.3.1"],
)
def test_another_day_is_not(text: str) -> None:
    scored = score_required_fact(RequiredFact(id="f", date=DAY), transcript("?", f"It ends on {text}."))
    assert (scored.value, scored.reason) == (0.0, "not in any reply: the date 2026-03-03")


def test_figures_that_can_be_read_in_two_ways_say_nothing() -> None:
    assert list(dates("03/04/2026", SAID_ON)) == []
    assert [day for day, _ in dates("13/04/2026, 04/13/2026 and 03.04.2026", SAID_ON)] == [
        date(2026, 4, 13),
        date(2026, 4, 13),
        date(2026, 4, 3),
    ]


@pytest.mark.parametrize(
    ("said_on", "meant"),
    [
        (date(2026, 1, 15), date(2026, 3, 3)),
        (date(2026, 11, 1), date(2027, 3, 3)),
        (date(2026, 5, 1), date(2026, 3, 3)),
    ],
)
def test_a_day_without_a_year_is_the_nearest_to_when_it_was_said(said_on: date, meant: date) -> None:
    assert [day for day, _ in dates("on March 3rd", said_on)] == [meant]


def test_a_day_that_there_is_not_is_none() -> None:
    assert list(dates("February 30, 2026 or 2026-13-01", SAID_ON)) == []


def test_evidence_is_the_day_as_it_was_written() -> None:
    scored = score_required_fact(RequiredFact(id="f", date=DAY), transcript("?", "By the 3rd of March, 2026, please."))
    assert [(seen.turn, seen.quote) for seen in scored.evidence] == [(1, "3rd of March, 2026")]


@pytest.mark.parametrize("text", ["may 5 times", "It may 5 times", "the 3 may be late", "march 5 miles"])
def test_a_verb_is_no_month(text: str) -> None:
    assert list(dates(text, SAID_ON)) == []


@pytest.mark.parametrize("text", ["May 5", "may 5th", "may 5, 2026", "5 May", "5th may", "5th of may", "5 of may"])
def test_may_is_a_month_where_it_is_written_like_one(text: str) -> None:
    assert [day for day, _ in dates(text, SAID_ON)] == [date(2026, 5, 5)]


@pytest.mark.parametrize(
    "text",
    [
        "March 30-31",
        "March 30–31, 2026",
        "March 30 to 31",
        "30-31 March",
        "30th to 31st of March 2026",
        "March 30th-31st",
    ],
)
def test_both_ends_of_a_range_are_named(text: str) -> None:
    assert sorted(day for day, _ in dates(text, SAID_ON)) == [date(2026, 3, 30), date(2026, 3, 31)]


def test_a_time_after_a_day_is_no_second_day() -> None:
    assert [day for day, _ in dates("March 5-10:30", SAID_ON)] == [date(2026, 3, 5)]
