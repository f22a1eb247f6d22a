"""Rules about what does not keep: placeholders that nobody filled in, and days that go by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime

from monitor.intent import Intent
from monitor.lint.finding import Finding, error, texts, warning

_PLACEHOLDER = re.compile(
    r"\{\{.*?\}\}|\$\{\w*\}|\b(?:TODO|FIXME|TBD|XXX+)\b|<[A-Z][A-Z _-]{2,}>|\[(?:YOUR|INSERT|ADD)\b[^\]\n]*\]"
    r"|(?i:\blorem ipsum\b)"
)
_RELATIVE = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|(?:this|next|last) (?:week|weekend|month|year)"
    r"|in \d+ (?:days|weeks|months))\b",
    re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DOCUMENT_WORDS = 60
"""A longer opening is taken for a pasted document, in which such words mean the document's day."""
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?"
_DATES = (
    re.compile(r"\b(?P<year>\d{4})-(?P<number>\d\d)-(?P<day>\d\d)\b"),
    re.compile(rf"\b(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH},? (?P<year>\d{{4}})\b", re.IGNORECASE),
    re.compile(rf"\b{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}})\b", re.IGNORECASE),
)
_AHEAD = re.compile(
    r"\b(?:book|reserve|reservation|schedule|appointment|arriv\w+|deliver\w*|depart\w*|fly|flight|travel\w*|check[- ]in"
    r"|check[- ]out|rebook|reschedule|cancel|due|deadline|expires?|will)\b",
    re.IGNORECASE,
)
_FIXED = re.compile(
    rf"\b\d{{4}}-\d\d-\d\d\b|\b(?:{'|'.join(_MONTHS)})[a-z]*\W{{1,4}}\d|\d(?:st|nd|rd|th)?\W{{1,4}}(?:{'|'.join(_MONTHS)})"
    r"|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day",
    re.IGNORECASE,
)
"""A day that stays, in what a checklist expects."""


def rotting(intent: Intent, now: datetime) -> Iterator[Finding]:
    """Errors for placeholders, warnings for days: one that is gone, one that moves under a checklist that does not."""
    said = list(texts(intent))
    for field, text in said:
        if match := _PLACEHOLDER.search(text):
            level = warning if field == "opening" else error
            yield level(intent, field, "placeholder", f"holds the placeholder {match[0]!r}; write what the user means")
    yield from _past_dates(intent, said, now.astimezone(UTC).date())
    yield from _moving_days(intent, said)


def _past_dates(intent: Intent, said: list[tuple[str, str]], today: date) -> Iterator[Finding]:
    """A date that is only asked about may lie in the past; one that something is to happen on may not."""
    if not any(_AHEAD.search(text) for _, text in said):
        return
    for field, text in said:
        for found, quote in dates(text):
            if found < today:
                what = f"{quote} is over; take a day that is relative (next Friday) or far ahead"
                yield warning(intent, field, "past-date", what)


def _moving_days(intent: Intent, said: list[tuple[str, str]]) -> Iterator[Finding]:
    if not any(_FIXED.search(text) for item in intent.checklist for text in _expected(asdict(item))):
        return
    for field, text in said:
        is_document = field == "opening" and len(text.split()) > _DOCUMENT_WORDS
        if not is_document and (match := _RELATIVE.search(text)):
            what = (
                f"{match[0]!r} means another day each time, and the checklist expects one that stays; name the day, "
                "or leave it out of the checklist"
            )
            yield warning(intent, field, "relative-date", what)


def dates(text: str) -> Iterator[tuple[date, str]]:
    """Every full date in a text, with its words."""
    for pattern in _DATES:
        for match in pattern.finditer(text):
            parts = match.groupdict()
            month = _MONTHS.index(parts["month"].lower()) + 1 if parts.get("month") else int(parts["number"])
            try:
                yield date(int(parts["year"]), month, int(parts["day"])), match[0]
            except ValueError:
                continue


def _expected(value: object, key: str = "") -> Iterator[str]:
    """What an item expects, its name and weight aside."""
    if key in {"id", "kind", "weight", "critical", "turns"}:
        return
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _expected(child, str(name))
    elif isinstance(value, list | tuple):
        for child in value:
            yield from _expected(child)
    elif isinstance(value, str | date):
        yield re.sub(r"\\\w", " ", str(value))
