"""Component `conduct`: manners that need no judge. 1 less the penalty of every rule that was broken, at least 0."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from monitor.intent import Intent
from monitor.score import ComponentScore, Evidence, ItemScore
from monitor.scorers.contract import Answers, Case, Question
from monitor.scorers.items import QUOTE_CHARACTERS, Replies, replies
from monitor.text import jaccard, looks_like_mojibake
from monitor.transcript import Transcript

SAME = 0.8
SIMILAR = 0.6
COMPARED_CHARACTERS = 20_000
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


class Conduct:
    """A `Scorer`. A reply is slow when it took longer than `slow_seconds`."""

    name = "conduct"

    def __init__(self, *, slow_seconds: float = 30.0) -> None:
        self._slow_seconds = slow_seconds

    def questions(self, case: Case) -> Sequence[Question]:
        """None."""
        return ()

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        """1 - the penalties, an item for each rule whose weight is its penalty."""
        intent, transcript = case.intent, case.transcript
        heard = replies(transcript)
        if not heard:
            return ComponentScore(name=self.name, value=None, reason="the assistant said nothing")
        items = (
            _self_repetition(heard),
            _rule("boilerplate", 0.5, "empty or boilerplate reply", _matching(heard, BOILERPLATE, empty=True)),
            _rule("mojibake", 0.5, "broken character encoding", _broken(heard)),
            _rule("truncated", 0.25, "a reply was cut off", _cut_off(transcript)),
            _rule("slow", 0.25, f"a reply took over {self._slow_seconds:g} s", self._late(transcript)),
            _rule("refusal", 0.5, "refused although the wish is allowed", _refusals(intent, heard)),
        )
        penalty = sum(item.weight for item in items if not item.passed)
        return ComponentScore(name=self.name, value=max(0.0, 1.0 - penalty), items=items)

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


def _self_repetition(heard: Replies) -> ItemScore:
    """The penalty of the most alike pair of replies, by the Jaccard overlap of their words."""
    short = [(turn, text[:COMPARED_CHARACTERS]) for turn, text in heard]
    overlaps = [(jaccard(a, b), turn, b) for (_, a), (turn, b) in combinations(short, 2)]
    overlap, turn, text = max(overlaps, default=(0.0, 0, ""))
    penalty = 0.5 if overlap >= SAME else 0.25
    evidence = [Evidence(turn=turn, quote=text[:QUOTE_CHARACTERS])] if overlap >= SIMILAR else []
    return _rule("self_repetition", penalty, f"two replies share {overlap:.0%} of their words", iter(evidence))


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
