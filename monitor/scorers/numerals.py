"""Numbers in a text, however people write them. Knows nothing of checklists and currencies.

A token is read once: 1,299.00 and 1 299,00 and 1.299,00 are all 1299. What is written 1.299 is a decimal, and beside a
currency, where three decimals are as rare as prices in thousands are common, either. 1,00,000 is grouped as in India.
A number says what the word after it makes of it: 12 million is no 12. A unit may be stuck to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from monitor.scorers.number_words import word_numbers

_BLANKS = "\u00a0\u202f' "
_UNITS = (
    r"days?|weeks?|wks?|months?|mos?|years?|yrs?|hours?|hrs?|h|minutes?|mins?|seconds?|secs?|ms|s"
    r"|kg|mg|g|lbs?|oz|km|cm|mm|m|miles?|mi|ft|inch(?:es)?|ml|l|[kmgt]b|k?wh?|mph|kmh|px|pct|percent|x|times|k"
)
NUMBER = re.compile(
    r"(?<![\w.])[-+\u2212]?(?:"
    r"\d{1,3}(?:\.\d{3})+,\d{1,2}"  # 1.299,00
    r"|\d{1,3}(?:\.\d{3}){2,}"  # 1.299.000
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?"  # 1,00,000
    rf"|\d{{1,3}}(?:[{_BLANKS}]\d{{3}})+,\d{{1,2}}"  # 1 299,00
    rf"|\d{{1,3}}(?:[,{_BLANKS}]\d{{3}})+(?:\.\d+)?"  # 1,299.00
    r"|(?<!\d,)\d+,\d{1,2}(?!,?\d)"  # 12,50, and no list of numbers
    r"|\d+(?:\.\d+)?"
    rf")(?=(?:{_UNITS})?(?!\w))(?!\.\d)",
    re.IGNORECASE,
)
RANGE = re.compile(r"[ \u00a0]?[-\u2013\u2014][ \u00a0]?|[ \u00a0]to[ \u00a0]", re.IGNORECASE)
"""What stands between the ends of a range."""
_SCALES = {"thousand": 1e3, "lakh": 1e5, "million": 1e6, "crore": 1e7, "billion": 1e9, "trillion": 1e12}
_SCALE = re.compile(rf"[ \u00a0-]?({'|'.join(_SCALES)})s?(?!\w)", re.IGNORECASE)
_THOUSANDS = re.compile(r"k(?!\w)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r",\d{1,2}$")
_IN_THOUSANDS = re.compile(r"[-+\u2212]?[1-9]\d{0,2}\.\d{3}")


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number as it is read, and where it stands in the text; `token` without the word that makes it `is_scaled`."""

    value: float
    start: int
    end: int
    token: str
    is_scaled: bool = False


def numerals(text: str) -> list[Numeral]:
    """Every number in a text, in order."""
    figures = [Numeral(_read(match[0]), match.start(), match.end(), match[0]) for match in NUMBER.finditer(text)]
    words = [Numeral(float(value), start, end, text[start:end]) for value, start, end in word_numbers(text)]
    found = [_scaled(one, text) for one in sorted(figures + words, key=lambda one: one.start)]
    for place, (one, other) in enumerate(pairwise(found)):
        scale = _SCALE.match(text, other.start + len(other.token)) if other.is_scaled else None
        if scale and not one.is_scaled and RANGE.fullmatch(text, one.end, other.start):
            found[place] = replace(one, value=one.value * _SCALES[scale[1].lower()], is_scaled=True)
    return found


def numbers(text: str) -> Iterator[tuple[float, str]]:
    """Every number in a text with the words it was written in."""
    for found in numerals(text):
        yield found.value, text[found.start : found.end]


def readings(found: Numeral) -> tuple[float, ...]:
    """What a number may mean beside a currency: 1.299 is a price in thousands, too."""
    is_either = not found.is_scaled and _IN_THOUSANDS.fullmatch(found.token)
    return (found.value, found.value * 1000) if is_either else (found.value,)


def _scaled(found: Numeral, text: str) -> Numeral:
    """The number with the word after it that multiplies it."""
    if match := _SCALE.match(text, found.end):
        return replace(found, value=found.value * _SCALES[match[1].lower()], end=match.end(), is_scaled=True)
    if match := _THOUSANDS.match(text, found.end):
        return replace(found, value=found.value * 1000, end=match.end(), is_scaled=True)
    return found


def _read(token: str) -> float:
    plain = re.sub(rf"[{_BLANKS}]", "", token).replace("\u2212", "-")
    if _DECIMAL_COMMA.search(plain):
        plain = plain.replace(".", "").replace(",", ".")
    elif plain.count(".") > 1:
        plain = plain.replace(".", "")
    return float(plain.replace(",", ""))
