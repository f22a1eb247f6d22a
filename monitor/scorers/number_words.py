"""Numbers that are written as English words, below a thousand: `thirty`, `twenty-five`, `two hundred and ten`.

`one` alone is none: mostly it says that somebody is meant, or something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_DIGITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen"]
_TEENS += ["fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_SMALL = ["zero", *_DIGITS, *_TEENS]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_VALUES = {name: value for value, name in enumerate(_SMALL)} | {name: 10 * tens for tens, name in enumerate(_TENS, 2)}
_DIGIT = "|".join(_DIGITS)
_BELOW_HUNDRED = rf"(?:(?:{'|'.join(_TENS)})(?:[-\s](?:{_DIGIT}))?|{'|'.join(reversed(_SMALL))})"
WORDS = re.compile(
    rf"(?<![\w-])(?:(?P<hundreds>an?|{_DIGIT})\s+hundred(?:\s+(?:and\s+)?(?P<rest>{_BELOW_HUNDRED}))?"
    rf"|(?P<plain>{_BELOW_HUNDRED}))(?![\w-])",
    re.IGNORECASE,
)
_BEFORE_A_SCALE = re.compile(r"\s(?:thousand|[mb]illion)\b", re.IGNORECASE)


def word_numbers(text: str) -> Iterator[tuple[int, int, int]]:
    """The value of every such number, where it starts, and where it ends."""
    for match in WORDS.finditer(text):
        plain = (match["plain"] or match["rest"] or "").lower()
        if plain == "one" and match["plain"] and not _BEFORE_A_SCALE.match(text, match.end()):
            continue
        value = sum(_VALUES[part] for part in re.split(r"[-\s]", plain) if part)
        if match["hundreds"]:
            value += 100 * _VALUES.get(match["hundreds"].lower(), 1)
        yield value, match.start(), match.end()
