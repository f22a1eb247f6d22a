"""Regular expressions that people write, held against texts that strangers write: no search goes on for long.

Knows nothing of what is looked for. The dialect is that of the package `regex`, which reads what Python's `re` reads.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import lru_cache

import regex

from monitor.errors import PatternTooSlow

SEARCH_SECONDS = 0.5
Match = re.Match[str] | regex.Match[str]


@lru_cache(maxsize=4096)
def compiled(pattern: str, *, ignore_case: bool = True) -> regex.Pattern[str]:
    """The expression. Raises ValueError where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
    except (regex.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"not a regular expression ({exc}); put it in single quotes") from exc


def refuse_empty(pattern: str) -> None:
    """Raises ValueError for what is no regular expression, and for one that matches the empty text."""
    if search(pattern, "") is not None:
        raise ValueError("a regular expression that matches the empty text, so it says nothing; make it narrower")


def search(pattern: str, text: str, *, ignore_case: bool = True) -> str | None:
    """The first words that match; None where none do. Raises PatternTooSlow."""
    try:
        match = compiled(pattern, ignore_case=ignore_case).search(text, timeout=SEARCH_SECONDS)
    except TimeoutError as exc:
        raise PatternTooSlow(pattern, SEARCH_SECONDS) from exc
    return match[0] if match else None


def replaced(pattern: str, replacement: Callable[[Match], str], text: str) -> str:
    """The text with every match replaced, case not ignored. Raises PatternTooSlow."""
    try:
        return compiled(pattern, ignore_case=False).sub(replacement, text, timeout=SEARCH_SECONDS)
    except TimeoutError as exc:
        raise PatternTooSlow(pattern, SEARCH_SECONDS) from exc
