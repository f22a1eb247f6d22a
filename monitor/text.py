"""Pure work on text that strangers wrote: making it safe to show, comparing it, noticing when it is broken.

Knows nothing of where a text comes from. Nothing here edits evidence: what is stored stays as it was received.
"""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"

_TERMINAL_SEQUENCES = re.compile(
    r"""
      (?: \x1b\[ | \x9b ) [0-?]* [ -/]* [@-~]?     # CSI: colours, cursor movement
    | (?: \x1b[\]PX^_] | [\x90\x98\x9d-\x9f] ) [^\x07\x1b\x9c]{0,256} (?: \x07 | \x1b\\ | \x9c )    # OSC
    | \x1b [ -/]* [0-~]?                         # any other escape
    """,
    re.VERBOSE,
)
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_MOJIBAKE = re.compile(
    "\ufffd"
    "|[\u00c2\u00c3][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2018-\u201e\u2020-\u2022\u2026\u20ac\u2122]"
    "|\u00e2[\u0080\u20ac][\u0080-\u00bf\u0152\u0153\u0161\u02dc\u2018-\u201e\u2020-\u2022\u2026\u2122]"
    "|\u00f0\u0178[\u0080-\u00bf\u0152\u0153\u0161\u017d\u02dc\u2018-\u201e]"
)
_KEPT_FORMAT_CHARACTERS = {"\u200c", "\u200d"}


def printable(text: str, limit: int = 200) -> str:
    """One line of at most `limit` characters that cannot move a cursor, hide or reorder what is beside it.

    Terminal sequences, control and format characters (text-direction overrides, NUL, byte order marks), private-use
    and unassigned ones are dropped, lone surrogates become U+FFFD, white space is folded.
    The joiners that Indic and Persian spelling and emoji need stay.
    """
    # A hostile text may be megabytes long, and only its first characters can appear.
    shown = _TERMINAL_SEQUENCES.sub("", text[: 8 * limit + 64])
    folded = fold_whitespace("".join(_shown(character) for character in shown))
    was_cut = len(text) > 8 * limit + 64
    return shorten(folded + ELLIPSIS if was_cut and len(folded) < limit else folded, limit)


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    return "" if category.startswith("C") and character not in _KEPT_FORMAT_CHARACTERS else character


def shorten(text: str, limit: int) -> str:
    """The text itself, or its beginning and an ellipsis, in at most `limit` characters."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + ELLIPSIS[:limit]


def fold_whitespace(text: str) -> str:
    """The text with every run of white space made one blank, and none at its ends."""
    return " ".join(text.split())


def without_surrogates(text: str) -> str:
    """The text as a database and a wire can carry it: lone surrogates and NUL become U+FFFD, all else stays."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def normalized(text: str) -> str:
    """The text for comparing: compatibility forms and case folded, white space folded."""
    return fold_whitespace(unicodedata.normalize("NFKC", text).casefold())


def words(text: str) -> list[str]:
    """The words of a text in order, normalised; punctuation and symbols separate words and are none."""
    return _WORD.findall(normalized(text))


def shingles(text: str, size: int = 3) -> frozenset[tuple[str, ...]]:
    """The runs of `size` words next to each other; a shorter text is one run of its own."""
    found = words(text)
    if not found:
        return frozenset()
    return frozenset(tuple(found[start : start + size]) for start in range(max(1, len(found) - size + 1)))


def jaccard(first: str, second: str, size: int = 1) -> float:
    """How much two texts overlap, in [0, 1]: shared over all shingles of `size` words; 0 when either has none."""
    left, right = shingles(first, size), shingles(second, size)
    return len(left & right) / len(left | right) if left and right else 0.0


def looks_like_mojibake(text: str, share: float = 0.01) -> bool:
    """Whether text was decoded wrongly somewhere: at least two broken places, and one for each 1/`share` characters.

    Broken is U+FFFD, or UTF-8 read as Latin-1 or Windows-1252 (an accented letter or quote that became two or three).
    """
    broken = len(_MOJIBAKE.findall(text))
    return broken >= 2 and broken >= share * len(text)
