"""Days in a text, however people write them in English. Knows nothing of checklists.

03/04/2026 says one of two days and so neither; 03.04.2026 is the 3rd of April. A day without a year is the one that is
nearest to when it was said. Of a range both ends are named: March 30-31. A small `may` or `march` with neither a year
nor an ordinal is the verb.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"(?P<day>\d{1,2})(?P<ordinal>\s?(?:st|nd|rd|th))?"
_TO = r"(?:\s?[-\u2013\u2014]\s?|\s(?:to|through)\s)"
_FIRST = rf"(?:(?<![:/-])(?P<other>\d{{1,2}})(?:\s?(?:st|nd|rd|th))?{_TO})?"
_LAST = rf"(?:{_TO}(?P<other>\d{{1,2}})(?:\s?(?:st|nd|rd|th))?(?![\w:/]|[-.,]\d))?"
_YEAR = r"(?:,?\s(?:of\s|in\s)?|,|[-/.])(?P<year>\d{4})(?!\d)"
_NAMED = (
    re.compile(rf"(?<![\w.]){_FIRST}{_DAY}(?P<of>\sof)?[\s-]{_MONTH}(?:{_YEAR})?", re.IGNORECASE),
    re.compile(rf"\b{_MONTH}[\s-](?P<of>the\s)?{_DAY}(?![\w:]|[.,]\d){_LAST}(?:{_YEAR})?", re.IGNORECASE),
    re.compile(rf"(?<![\w.])(?P<year>\d{{4}})[\s-]{_MONTH}[\s-](?P<of>)(?P<other>){_DAY}(?!\w)", re.IGNORECASE),
)
_ISO = re.compile(r"(?<![\w./-])(?P<year>\d{4})(?P<by>[-/.])(?P<month>\d{1,2})(?P=by)(?P<day>\d{1,2})(?!\d|[-/.]\d)")
_FIGURES = re.compile(r"(?<![\w./-])(\d{1,2})([-/.])\s?(\d{1,2})\2\s?(\d{4}|\d{2})(?!\w|[-/.]\d)")
_VERBS = ("may", "march")
_HALF_A_YEAR = timedelta(days=182)


def dates(text: str, said_on: date) -> Iterator[tuple[date, str]]:
    """Every day that a text names, with the words; `said_on` tells which year is meant where none is said."""
    for pattern in _NAMED:
        for match in pattern.finditer(text):
            month = 1 + _MONTHS.index(match["month"][:3].lower())
            year = int(match["year"]) if match["year"] else None
            if not year and _is_verb(match):
                continue
            for number in (match["day"], match["other"]):
                if number and (day := _day(year, month, int(number), said_on)):
                    yield day, match[0]
    for match in _ISO.finditer(text):
        if day := _day(int(match["year"]), int(match["month"]), int(match["day"]), said_on):
            yield day, match[0]
    for match in _FIGURES.finditer(text):
        if day := _of_figures(match):
            yield day, match[0]


def _is_verb(match: re.Match[str]) -> bool:
    return match["month"] in _VERBS and not (match["ordinal"] or match["of"])


def _day(year: int | None, month: int, day: int, said_on: date) -> date | None:
    """The day, or None where there is none; without a year, the nearest to `said_on`."""
    if year is not None:
        return _valid(year, month, day)
    near = (_valid(said_on.year + shift, month, day) for shift in (-1, 0, 1))
    return next((found for found in near if found and abs(found - said_on) <= _HALF_A_YEAR), None)


def _of_figures(match: re.Match[str]) -> date | None:
    """A day in figures that can be read in one way only. With dots the day comes first."""
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    year += 2000 if len(match[4]) == 2 else 0
    readings = {_valid(year, second, first)}
    if match[2] != ".":
        readings.add(_valid(year, first, second))
    found = [reading for reading in readings if reading]
    return found[0] if len(found) == 1 else None


def _valid(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
