"""Rules about how an intent is worded: vague, over-long, not as UserLM was trained on, not English."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from monitor.fidelity import content_words
from monitor.intent import Intent
from monitor.lint.finding import Finding, warning
from monitor.text import words

FRAME = re.compile(r"^\s*you are an? (?:\w+ )?(?:user|customer|person)\b\s*(?:(?:who|that)\b)?", re.IGNORECASE)
FEWEST_WORDS = 3
USERLM_WORDS = 60
MOST_WORDS = 150
ENGLISH_SHARE = 0.1
FEWEST_FOR_LANGUAGE = 8
_GENERIC = frozenset(
    words(
        """
        anything ask asking assistant bot chat chatbot do everything find get give help hello hi information info issue
        learn make matter need problem question questions request something stuff support talk task tell test testing
        thing things topic try use want various
        """
    )
)
_INDEFINITE = re.compile(r"\b(?:some|any|every)(?:thing|one|body)\b|\b(?:stuff|things|know about)\b", re.IGNORECASE)
_ENGLISH = frozenset(
    words(
        """
        and are be can do does for from have her his how i i'd i'm it it's my not of she that the their them they this
        to please let's what when where which who with would you your
        """
    )
)
"""Words that are common in English and are none, or rare ones, in the languages written with the same letters."""


def wording(intent: Intent, *, for_userlm: bool) -> Iterator[Finding]:
    """Warnings about the description, which a user model goes by."""
    said = intent.description
    count = len(words(said))
    limit = USERLM_WORDS if for_userlm else MOST_WORDS
    if is_vague(said):
        text = 'is vague; say what the user does with what, as in "wants to know how long shoes can be returned"'
        yield warning(intent, "description", "vague", text)
    if count > limit:
        text = (
            f"has {count} words; keep it short and high level (at most {limit}) and put details into knows or opening"
        )
        yield warning(intent, "description", "over-long", text)
    if for_userlm and not FRAME.match(said):
        text = 'is not worded as UserLM was trained; begin with "You are a user who wants to ..."'
        yield warning(intent, "description", "frame", text)
    if for_userlm:
        yield from _not_english(intent)


def is_vague(description: str) -> bool:
    """Whether no word says what it is about, or only one beside "something" or the like."""
    told = FRAME.sub("", description)
    about = content_words(told) - _GENERIC
    return not about or len(words(told)) < FEWEST_WORDS or (len(about) == 1 and bool(_INDEFINITE.search(told)))


def _not_english(intent: Intent) -> Iterator[Finding]:
    for field, text in (("description", intent.description), ("opening", intent.opening or "")):
        if not is_english(text):
            yield warning(
                intent, field, "not-english", "is not English, the only language of UserLM; write it in English"
            )


def is_english(text: str) -> bool:
    """Whether enough of the words are those that every English text has; a text of few words is given the doubt."""
    letters = [character for character in text if character.isalpha()]
    latin = sum(unicodedata.name(character, "").startswith("LATIN") for character in letters)
    if 2 * latin < len(letters):
        return False
    found = words(text)
    common = sum(word in _ENGLISH for word in found)
    return len(found) < FEWEST_FOR_LANGUAGE or common >= ENGLISH_SHARE * len(found)
