"""Component `conduct`: manners that need no judge. 1 less the penalty of every rule that was broken, at least 0.

Some rules are broken or kept; others cost more the more they are broken (`_graded`), and half of that where the user's
last words were thanks. Of a reply the first READ_CHARACTERS are read (`manners` compares fewer): what comes after them
is neither held against the assistant nor for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from monitor.intent import Intent
from monitor.score import ComponentScore, Evidence, ItemScore
from monitor.scorers.contract import Answers, Case, Question
from monitor.scorers.items import QUOTE_CHARACTERS, Replies, replies
from monitor.scorers.manners import Manners, manners
from monitor.scorers.reactions import complaints, is_thanks
from monitor.text import looks_like_mojibake
from monitor.transcript import Role, Transcript

SHOWN_REUSE = 0.6
"""A reply that shares this much with an earlier one is shown as evidence."""
READ_CHARACTERS = 20_000
FEWEST_REPLIES = 3
"""From so many replies on their shortness says something."""
FORGIVEN = 0.5
BOILERPLATE = re.compile(
    r"^\W*(?:undefined|null|none|nan|\[object object\]|internal server error"
    r"|an? (?:unexpected )?error (?:has )?occurred"
    r"|something went wrong|lorem ipsum.*|(?:please )?try again later)\W*$",
    re.IGNORECASE | re.DOTALL,
)
_CANNOT = r"(?:can(?:no|')?t|unable|not able|won'?t)"
REFUSAL = re.compile(
    r"\b(?:"
    r"(?:sorry|apologi[sz]e|unfortunately)\b[^.!?\n]{0,40}"
    rf"\b{_CANNOT}\b"
    r"|i(?:'m| am) (?:not able|unable) to (?:help|assist|answer|provide|comply|do that|continue)"
    r"|i (?:can(?:no|')?t|won'?t|must decline to) (?:help|assist|answer|provide|comply|do that|discuss|support)"
    r"|against my (?:guidelines|policy|programming))",
    re.IGNORECASE,
)

APOLOGY = re.compile(r"\b(?:sorry|apologi[sz]e|apologies)\b", re.IGNORECASE)


class Conduct:
    """A `Scorer`. A reply is slow when it took longer than `slow_seconds`."""

    name = "conduct"

    def __init__(self, *, slow_seconds: float = 30.0) -> None:
        self._slow_seconds = slow_seconds

    def questions(self, case: Case) -> Sequence[Question]:
        """None."""
        return ()

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        """1 - the penalties, an item for each rule whose weight is its highest penalty."""
        intent, transcript = case.intent, case.transcript
        heard = [(turn, text[:READ_CHARACTERS]) for turn, text in replies(transcript)]
        if not heard:
            return ComponentScore(name=self.name, value=None, reason="the assistant said nothing")
        counted = manners([text for _, text in heard], _before(transcript))
        items = (
            *_forgiven(_habits(heard, counted), transcript),
            _complaints(intent, transcript),
            _rule("boilerplate", 0.5, "empty or boilerplate reply", _matching(heard, BOILERPLATE, empty=True)),
            _rule("mojibake", 0.5, "broken character encoding", _broken(heard)),
            _rule("truncated", 0.25, "a reply was cut off", _cut_off(transcript)),
            _rule("slow", 0.25, f"a reply took over {self._slow_seconds:g} s", self._late(transcript)),
            _rule("refusal", 0.5, "refused although the wish is allowed", _refusals(intent, heard)),
        )
        penalty = sum(item.weight * (1.0 - (item.value or 0.0)) for item in items)
        value = max(0.0, 1.0 - penalty)
        return ComponentScore(name=self.name, value=value, items=items, signals=_signals(heard, counted))

    def _late(self, transcript: Transcript) -> Iterator[Evidence]:
        for index, turn in enumerate(transcript.turns):
            if turn.latency_seconds is not None and turn.latency_seconds > self._slow_seconds:
                yield Evidence(turn=index, quote=f"{turn.latency_seconds:.1f} s")


def _rule(name: str, penalty: float, broken: str, hits: Iterator[Evidence]) -> ItemScore:
    evidence = tuple(hits)
    return ItemScore(
        id=name,
        kind="conduct",
        value=0.0 if evidence else 1.0,
        reason=f"{broken}: -{penalty:g}" if evidence else "kept",
        weight=penalty,
        evidence=evidence,
    )


def _graded(name: str, penalty: float, grade: float, what: str, evidence: Sequence[Evidence] = ()) -> ItemScore:
    """An item that costs `grade` (in [0, 1]) of its penalty."""
    return ItemScore(
        id=name,
        kind="conduct",
        value=1.0 - grade,
        reason=f"{what}: -{penalty * grade:.2g}" if grade else "kept",
        weight=penalty,
        evidence=tuple(evidence),
    )


def _habits(heard: Replies, counted: Manners) -> tuple[ItemScore, ...]:
    """How much the assistant repeats itself, asks the same again, and says too little."""
    most, mean = max(counted.reuse, default=0.0), _mean(counted.reuse)
    again = _mean(counted.asked_again)
    thin = counted.thin if len(heard) >= FEWEST_REPLIES else 0.0
    newest = heard[len(heard) - len(counted.reuse) :]
    repeated = [_quoted(*reply) for reply, share in zip(newest, counted.reuse, strict=True) if share >= SHOWN_REUSE]
    asked = [_quoted(*reply) for reply, is_again in zip(newest, counted.asked_again, strict=True) if is_again]
    said = f"replies share {mean:.0%} of their word pairs with an earlier one, {most:.0%} at most"
    return (
        # Squares, because every good answer shares some words with the one before it.
        _graded("self_repetition", 0.5, (most**2 + mean**2) / 2, said, repeated),
        _graded("asked_again", 0.15, again, f"{again:.0%} of the later replies ask a question again", asked),
        _graded("thin", 0.2, thin, f"replies fall {thin:.0%} short of a full one"),
    )


def _forgiven(items: Sequence[ItemScore], transcript: Transcript) -> Iterator[ItemScore]:
    """The items, at half their price where the user's last words were thanks."""
    said = transcript.user_turns
    is_thanked = bool(said) and is_thanks(said[-1].text)
    for item in items:
        reason = f"{item.reason}, halved: the user gave thanks"
        is_halved = is_thanked and item.value != 1.0
        yield replace(item, weight=item.weight * FORGIVEN, reason=reason) if is_halved else item


def _complaints(intent: Intent, transcript: Transcript) -> ItemScore:
    """Users complain of a refusal that is right, too: then their complaints say nothing."""
    turns = complaints(transcript) if intent.allowed else []
    later = len(transcript.user_turns) - 1
    rate = len(turns) / later if later > 0 else 0.0
    evidence = [_quoted(turn, transcript.turns[turn].text) for turn in turns]
    return _graded("complaints", 0.3, rate, f"{rate:.0%} of the user's later turns complain or say it again", evidence)


def _signals(heard: Replies, counted: Manners) -> Mapping[str, float]:
    texts = [text for _, text in heard]
    return {
        "max_overlap": max(counted.overlaps, default=0.0),
        "mean_overlap": _mean(counted.overlaps),
        "max_reuse": max(counted.reuse, default=0.0),
        "mean_reuse": _mean(counted.reuse),
        "asked_again": _mean(counted.asked_again),
        "same_openings": counted.same_openings,
        "distinct_words": counted.distinct_words,
        "words_per_reply": counted.words_per_reply,
        "shortest_reply": counted.shortest_reply,
        "last_reply": counted.last_reply,
        "length_spread": counted.length_spread,
        "thin": counted.thin,
        "questions_per_reply": counted.questions_per_reply,
        "sentences_per_reply": counted.sentences_per_reply,
        "echo": counted.echo,
        "apologies": _mean([APOLOGY.search(text) is not None for text in texts]),
        "refusals": _mean([REFUSAL.search(text) is not None for text in texts]),
        "boilerplate": _mean([BOILERPLATE.search(text) is not None for text in texts]),
        "mojibake": _mean([looks_like_mojibake(text) for text in texts]),
    }


def _mean(numbers: Sequence[float]) -> float:
    return fmean(numbers) if numbers else 0.0


def _before(transcript: Transcript) -> list[str]:
    """What the user said last before each reply."""
    said, found = "", []
    for turn in transcript.turns:
        if turn.role is Role.USER:
            said = turn.text
        else:
            found.append(said)
    return found


def _quoted(turn: int, text: str) -> Evidence:
    return Evidence(turn=turn, quote=text[:QUOTE_CHARACTERS])


def _matching(heard: Replies, pattern: re.Pattern[str], *, empty: bool = False) -> Iterator[Evidence]:
    for turn, text in heard:
        if (match := pattern.search(text)) or (empty and not text.strip()):
            yield Evidence(turn=turn, quote=match[0][:QUOTE_CHARACTERS] if match else "")


def _broken(heard: Replies) -> Iterator[Evidence]:
    for turn, text in heard:
        if looks_like_mojibake(text):
            yield Evidence(turn=turn, quote=text[:QUOTE_CHARACTERS])


def _cut_off(transcript: Transcript) -> Iterator[Evidence]:
    for index, turn in enumerate(transcript.turns):
        if turn.finish_reason == "length":
            yield Evidence(turn=index, quote=turn.text[-QUOTE_CHARACTERS:])


def _refusals(intent: Intent, heard: Replies) -> Iterator[Evidence]:
    return _matching(heard, REFUSAL) if intent.allowed else iter(())
