"""Bounds that a simulated user's turn must keep; a turn that breaks one is thrown away whole and sampled again.

The defaults are those of the UserLM paper (arXiv 2510.06552); other presets are the configuration's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FIRST_WORDS = ("I", "You", "Here", "i", "you", "here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrails:
    """The bounds. Lengths are whitespace-separated words; `end_banned_turns` user turns come before any end.

    `repeat_temperature` and `repeat_top_p` take the place of the sampling's after a repetition (None: no change).
    """

    tries: int = 8
    banned_first_words: tuple[str, ...] = FIRST_WORDS
    ban_leading_punctuation: bool = False
    end_banned_turns: int = 0
    min_words: int = 3
    max_words: int = 25
    reject_repeats: bool = True
    reject_intent: bool = True
    repeat_temperature: float | None = None
    repeat_top_p: float | None = None


def broken_bound(text: str, said: Iterable[str], description: str, guardrails: Guardrails) -> str | None:
    """The name of the first bound that `text` breaks, or None. `said`: the user's earlier turns."""
    words = len(text.split())
    if not words:
        return "empty"
    if words < guardrails.min_words:
        return "too_short"
    if words > guardrails.max_words:
        return "too_long"
    if guardrails.reject_repeats and folded(text) in {folded(earlier) for earlier in said}:
        return "repetition"
    if guardrails.reject_intent and folded(text) == folded(description):
        return "intent_repeated"
    return None


def folded(text: str) -> str:
    """Lower case, every run of white space one space: how repetitions are compared."""
    return " ".join(text.lower().split())
