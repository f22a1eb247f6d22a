"""Numbers and amounts of money in a text, however people write them. Knows nothing of checklists.

A token is read once: 1,299.00 and 1 299,00 and 1.299,00 are all 1299. What is written 1.299 is a decimal, and beside a
currency, where three decimals are as rare as prices in thousands are common, either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.intent import Amount

_BLANKS = "\u00a0\u202f' "
NUMBER = re.compile(
    r"(?<![\w.])[-+\u2212]?(?:"
    r"\d{1,3}(?:\.\d{3})+,\d{1,2}"  # 1.299,00
    r"|\d{1,3}(?:\.\d{3}){2,}"  # 1.299.000
    rf"|\d{{1,3}}(?:[{_BLANKS}]\d{{3}})+,\d{{1,2}}"  # 1 299,00
    rf"|\d{{1,3}}(?:[,{_BLANKS}]\d{{3}})+(?:\.\d+)?"  # 1,299.00
    r"|(?<!\d,)\d+,\d{1,2}(?!,?\d)"  # 12,50, and no list of numbers
    r"|\d+(?:\.\d+)?"
    r")(?!\w|\.\d)"
)
_DECIMAL_COMMA = re.compile(r",\d{1,2}$")
_IN_THOUSANDS = re.compile(r"[-+\u2212]?[1-9]\d{0,2}\.\d{3}")
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
_NEAR = 40
"""Characters on each side of a number in which its currency stands."""


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number as it is read, and where it stands in the text."""

    value: float
    start: int
    end: int


def numerals(text: str) -> Iterator[Numeral]:
    """Every number in a text."""
    for match in NUMBER.finditer(text):
        yield Numeral(_read(match[0]), match.start(), match.end())


def numbers(text: str) -> Iterator[tuple[float, str]]:
    """Every number in a text with the words it was written in."""
    for found in numerals(text):
        yield found.value, text[found.start : found.end]


def amounts(text: str, currency: str) -> Iterator[tuple[Amount, str]]:
    """Every amount in this currency with the words it was written in; one that can be read in two ways comes twice."""
    name = rf"(?:{currency}|{_NAMES[currency]})" if currency in _NAMES else f"(?:{currency})"
    before = re.compile(rf"(?:(?<!\w)([-\u2212])[ \u00a0]?)?(?<![A-Za-z]){name}[ \u00a0\u202f]{{0,2}}$", re.IGNORECASE)
    after = re.compile(rf"(?:[.,][-\u2013\u2014]{{1,2}})?[ \u00a0\u202f-]?{name}(?![A-Za-z])", re.IGNORECASE)
    text = re.sub(rf"(?<=\d)(?={name}(?![A-Za-z]))|(?<![A-Za-z])({currency})(?=\d)", r"\1 ", text, flags=re.IGNORECASE)
    for found in numerals(text):
        leads = before.search(text[max(0, found.start - _NEAR) : found.start])
        follows = None if leads else after.match(text[found.end : found.end + _NEAR])
        if not (leads or follows):
            continue
        start = found.start - len(leads[0]) if leads else found.start
        end = found.end + (follows.end() if follows else 0)
        sign = -1.0 if leads and leads[1] else 1.0
        for value in _readings(found.value, text[found.start : found.end]):
            yield Amount(currency=currency, number=sign * value), text[start:end]


def _read(token: str) -> float:
    plain = re.sub(rf"[{_BLANKS}]", "", token).replace("\u2212", "-")
    if _DECIMAL_COMMA.search(plain):
        plain = plain.replace(".", "").replace(",", ".")
    elif plain.count(".") > 1:
        plain = plain.replace(".", "")
    return float(plain.replace(",", ""))


def _readings(value: float, token: str) -> tuple[float, ...]:
    return (value, value * 1000) if _IN_THOUSANDS.fullmatch(token) else (value,)
