"""Amounts of money in a text, however people write them. Knows nothing of checklists.

Of `$12 CAD` and `CAD $12` the code says which dollars are meant. What is said of one end of a range is meant of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from monitor.intent import Amount
from monitor.scorers.numerals import RANGE, Numeral, numerals, readings

_NAMES = {
    "AUD": r"A\$|AU\$|\$|australian dollars?|dollars?",
    "BRL": r"R\$|reais|real",
    "CAD": r"C\$|CA\$|\$|canadian dollars?|dollars?",
    "CHF": r"Fr\.?|sfr\.?|(?:swiss )?francs?|franken",
    "CNY": r"¥|CN¥|RMB|yuan|renminbi",
    "CZK": r"Kč|korun[ay]?|(?:czech )?crowns?",
    "DKK": r"kr\.?|(?:danish )?kron(?:er|e)",
    "EUR": r"€|euros?",
    "GBP": r"£|(?:british )?pounds?(?: sterling)?|quid",
    "ILS": r"₪|NIS|shekels?",
    "INR": r"₹|Rs\.?|(?:indian )?rupees?",
    "JPY": r"¥|JP¥|yen",
    "KRW": r"₩|won",
    "MXN": r"MX\$|\$|(?:mexican )?pesos?",
    "NOK": r"kr\.?|(?:norwegian )?kron(?:er|e)",
    "NZD": r"NZ\$|\$|new zealand dollars?|dollars?",
    "PLN": r"zł|zloty(?:ch|s)?",
    "RUB": r"₽|(?:rou|ru)bles?",
    "SEK": r"kr\.?|(?:swedish )?kron(?:or|a)",
    "SGD": r"S\$|\$|singapore dollars?|dollars?",
    "TRY": r"₺|TL|lira",
    "UAH": r"₴|hryvnias?",
    "USD": r"US\$|\$|(?:us |u\.s\. |american )?dollars?|bucks?",
    "ZAR": r"R|rand",
}
_COUNTRIES = {
    "american": "USD",
    "australian": "AUD",
    "canadian": "CAD",
    "mexican": "MXN",
    "new zealand": "NZD",
    "singapore": "SGD",
}
_CODE = "|".join((*_NAMES, *_COUNTRIES))
_CODE_BEFORE = re.compile(rf"(?<![A-Za-z])({_CODE})[ \u00a0]?$", re.IGNORECASE)
_CODE_AFTER = re.compile(rf"[ \u00a0]?\(?({_CODE})(?![A-Za-z])(?![ \u00a0]?\d)", re.IGNORECASE)
_SHORT = {"k": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "mm": 1e6, "b": 1e9, "bn": 1e9}
_SHORT_AFTER = re.compile(r"[ \u00a0]?(mio|mn|mm|bn|k|m|b)(?![A-Za-z])\.?", re.IGNORECASE)
_COUNTED = re.compile(
    r"[ \u00a0-]?(?!(?:per|an?|each|and|or|for|in|on|at|plus|depending|usually)\b)[A-Za-z]", re.IGNORECASE
)
"""What follows a number of things."""
_NEAR = 40
"""Characters on each side of a number in which its currency stands."""


class _Names(NamedTuple):
    """How one currency is named before and after a number, and where a blank between them is missing."""

    before: re.Pattern[str]
    after: re.Pattern[str]
    stuck: re.Pattern[str]


class _Place(NamedTuple):
    """A number with where its amount starts and ends in the text, its sign, and whether a currency is said with it."""

    found: Numeral
    start: int
    end: int
    sign: float
    is_named: bool
    scale: float


def amounts(text: str, currency: str) -> Iterator[tuple[Amount, str]]:
    """Every amount in this currency with the words it was written in; one that can be read in two ways comes twice."""
    names = _names(currency)
    text = names.stuck.sub(r"\1 ", text)
    places = [_place(found, text, names) for found in numerals(text)]
    for place in _with_ranges(places, text):
        if not place.is_named or _is_of_another(place, text, currency):
            continue
        for value in readings(place.found):
            number = place.sign * value * place.scale
            yield Amount(currency=currency, number=number), text[place.start : place.end]


@lru_cache(maxsize=64)
def _names(currency: str) -> _Names:
    name = rf"(?:{currency}|{_NAMES[currency]})" if currency in _NAMES else f"(?:{currency})"
    return _Names(
        re.compile(rf"(?:(?<!\w)([-\u2212])[ \u00a0]?)?(?<![A-Za-z]){name}[ \u00a0\u202f]{{0,2}}$", re.IGNORECASE),
        re.compile(rf"(?:[.,][-\u2013\u2014]{{1,2}})?[ \u00a0\u202f-]?{name}(?![A-Za-z])", re.IGNORECASE),
        re.compile(rf"(?<=\d)(?={name}(?![A-Za-z]))|(?<![A-Za-z])({currency})(?=\d)", re.IGNORECASE),
    )


def _place(found: Numeral, text: str, names: _Names) -> _Place:
    leads = names.before.search(text[max(0, found.start - _NEAR) : found.start])
    short = None if found.is_scaled else _SHORT_AFTER.match(text, found.end, found.end + _NEAR)
    end = short.end() if short else found.end
    follows = None if leads else names.after.match(text[end : end + _NEAR])
    return _Place(
        found=found,
        start=found.start - len(leads[0]) if leads else found.start,
        end=end + (follows.end() if follows else 0),
        sign=-1.0 if leads and leads[1] else 1.0,
        is_named=bool(leads or follows),
        scale=_SHORT[short[1].lower()] if short else 1.0,
    )


def _with_ranges(places: Sequence[_Place], text: str) -> Iterator[_Place]:
    """The places; where a currency is said with one end of a range only, it is with both. Not of `$45 to 60 days`."""
    whole = list(places)
    for number, (one, other) in enumerate(pairwise(places)):
        between = RANGE.fullmatch(text, one.end, other.start)
        if between is None or (one.is_named and len(between[0]) > 1 and _COUNTED.match(text, other.end)):
            continue
        start, end = one.start, other.end
        if one.is_named != other.is_named:
            scale = other.scale if one.scale == 1.0 and not one.found.is_scaled else one.scale
            whole[number] = one._replace(is_named=True, start=start, end=end, scale=scale)
            whole[number + 1] = other._replace(is_named=True, start=start, end=end)
    yield from whole


def _is_of_another(place: _Place, text: str, currency: str) -> bool:
    """Whether a code beside the amount names another currency than what stands with the number, which a sign may share.

    A code right before another number is of that one.
    """
    quote = text[place.start : place.end]
    if re.search(rf"(?<![A-Za-z]){currency}(?![A-Za-z])", quote, re.IGNORECASE):
        return False
    before = _CODE_BEFORE.search(text[max(0, place.start - _NEAR) : place.start])
    after = _CODE_AFTER.match(text[place.end : place.end + _NEAR])
    return any(
        match is not None and _COUNTRIES.get(match[1].lower(), match[1].upper()) != currency
        for match in (before, after)
    )
