"""What users do when a reply was no good, or good: complaints, rephrasing, thanks. Knows nothing of weights or models.

The words are English; of other languages only rephrasing and repeated question marks are noticed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from monitor.text import jaccard, normalized, words
from monitor.transcript import Role, Transcript

REPHRASED = 0.7
"""Overlap of a turn's words with an earlier one's from which it says the same again."""
FEWEST_WORDS = 2
COMPARED_CHARACTERS = 2_000
_ASSENT = frozenset({"yes", "no", "ok", "okay", "sure", "please", "thanks", "thank", "you", "right"})
_SAID = r"(?:said|told|mentioned|answered|asked|explained|stated)"
_NOT = r"(?:n't| not)"
COMPLAINT = re.compile(
    r"\b(?:already|just|literally) " + _SAID + r"\b"
    r"|\bi (?:said|told you|meant|asked (?:for|you|about|if|what|how|whether|when|where))\b"
    r"|\bas i " + _SAID + r"\b|\blike i " + _SAID + r"\b"
    r"|\bwhat (?:do|did) you mean\b|\bwhat(?:'re| are) you (?:talking|saying)|\bwhy (?:do|did|would) you (?:say|ask)"
    r"|\b(?:what|how) (?:does|do|did|has|is) [^.!?]{1,60}\b(?:to do with|relevant)\b"
    r"|\b(?:do|did|can)" + _NOT + r" (?:understand|follow|get) (?:you\b|your\b|what|that\b|the question)"
    r"|\b(?:you(?:'re| are)|are you) not (?:understanding|listening|making|helping|answering|reading)"
    r"|\byou(?:'re| are)n't (?:understanding|listening|making|helping|answering|reading)"
    r"|\byou (?:do|did|have|are|were|would)" + _NOT + r" (?:even )?(?:answer|listen|understand|read|help|know|get|mak)"
    r"|\byou (?:keep|kept) \w+ing\b|\byou already\b|\bmisunderst(?:and|ood)"
    r"|" + _NOT + r" mak(?:e|ing) (?:any |much )?sense\b|\bmakes? (?:no|zero|little) sense\b"
    r"|" + _NOT + r" (?:really |quite )?what i\b"
    r"|\bthat(?:'s| is) (?:wrong|incorrect)\b"
    r"|\bthat(?:'s not| is not| isn't) (?:right|true|correct|helpful)\b"
    r"|\bare you (?:even |actually )?(?:listening|reading|serious|stupid|crazy|a (?:bot|robot|machine))\b"
    r"|\bnothing to do with\b|\b(?:useless|unhelpful|ridiculous|nonsense|waste of (?:my )?time|not helpful|no help)\b"
    r"|\b(?:did|does|do)" + _NOT + r" (?:help|answer)\b"
    r"|\b(?:speak|talk) to (?:a|an) (?:human|person|agent|real)\b|\bi(?:'m| am) (?:so )?(?:confused|lost)\b"
    r"|\bstop (?:asking|saying|repeating)\b|\?\s*\?|^\W*(?:what|huh|pardon|excuse me|why|come again|um+|uh+)\W*$",
)
THANKS = re.compile(
    r"\bthank(?:s|ed|ful)?\b|\bthx\b|\bcheers\b|\bappreciate\b|\bthat(?:'s| is| was) (?:great|perfect|very helpful)\b"
)

NEGATION = re.compile(r"\b(?:no|not|nope|never|none|nothing|cannot)\b|n't\b")
ASSENT = re.compile(r"^\W*(?:yes|yeah|yea|yep|yup|sure|exactly|right|true|i know)\b")


def is_complaint(text: str) -> bool:
    """Whether a user's turn says that the reply before it was not understood, not heard or of no use."""
    return bool(COMPLAINT.search(_plain(text)))


def is_thanks(text: str) -> bool:
    """Whether a user's turn thanks or praises."""
    return bool(THANKS.search(_plain(text))) and not is_complaint(text)


def is_negation(text: str) -> bool:
    """Whether a user's turn denies something."""
    return bool(NEGATION.search(_plain(text)))


def is_assent(text: str) -> bool:
    """Whether a user's turn begins by agreeing."""
    return bool(ASSENT.search(_plain(text)))


def is_rephrased(text: str, earlier: Sequence[str]) -> bool:
    """Whether a user's turn says again what one before it said."""
    now = text[:COMPARED_CHARACTERS]
    if len(set(words(now)) - _ASSENT) < FEWEST_WORDS:
        return False
    return any(jaccard(now, said[:COMPARED_CHARACTERS]) >= REPHRASED for said in earlier)


def complaints(transcript: Transcript) -> list[int]:
    """The indices in the transcript of the user's turns after the first that complain or rephrase."""
    found: list[int] = []
    earlier: list[str] = []
    for index, turn in enumerate(transcript.turns):
        if turn.role is Role.ASSISTANT:
            continue
        if earlier and (is_complaint(turn.text) or is_rephrased(turn.text, earlier)):
            found.append(index)
        earlier.append(turn.text)
    return found


def _plain(text: str) -> str:
    return normalized(text[:COMPARED_CHARACTERS]).replace("\u2019", "'")
