"""What the items of a checklist have in common, and the simplest of them: text that must not be said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from monitor.errors import PatternTooSlow
from monitor.intent import Forbidden
from monitor.patterns import search
from monitor.score import Evidence, ItemScore
from monitor.transcript import Role, Transcript

QUOTE_CHARACTERS = 200
Replies = list[tuple[int, str]]


class Weighed(Protocol):
    """What every item of a checklist has."""

    @property
    def id(self) -> str:
        """Its name in the checklist."""

    @property
    def kind(self) -> str:
        """What sort of item it is."""

    @property
    def weight(self) -> float:
        """Its share of the component."""

    @property
    def critical(self) -> bool:
        """Whether its failure caps the component."""


def replies(transcript: Transcript, which: str = "any") -> Replies:
    """The assistant's turns with their index in the transcript; `which` is `any` or `last`."""
    found = [(index, turn.text) for index, turn in enumerate(transcript.turns) if turn.role is Role.ASSISTANT]
    return found[-1:] if which == "last" else found


def answered(
    item: Weighed,
    value: float | None,
    reason: str,
    evidence: tuple[Evidence, ...] = (),
    *,
    closes_gate: bool = False,
    is_on: bool = True,
) -> ItemScore:
    """The answer to an item."""
    return ItemScore(
        id=item.id,
        kind=item.kind,
        value=value,
        reason=reason,
        weight=item.weight,
        critical=item.critical,
        closes_gate=closes_gate,
        is_on=is_on,
        evidence=evidence,
    )


def score_forbidden(item: Forbidden, transcript: Transcript, hidden: tuple[Evidence, ...] = ()) -> ItemScore:
    """0 when a pattern occurs in any reply, which closes the gate; else 1. `hidden`: where redaction took it away.

    None when a pattern took too long before anything was found.
    """
    evidence = list(hidden)
    try:
        evidence[:0] = pattern_hits(item.patterns, replies(transcript))
    except PatternTooSlow as exc:
        evidence[:0] = _found_before(item, transcript, exc)
        if not evidence:
            return answered(item, None, f"not measured: {exc}", closes_gate=True)
    reason = "forbidden text was said" if evidence else "never said"
    return answered(item, 0.0 if evidence else 1.0, reason, tuple(evidence), closes_gate=True)


def pattern_hits(patterns: Iterable[str], heard: Replies) -> Iterator[Evidence]:
    """Where patterns occur: of each in each reply the first. Raises PatternTooSlow, and is over then."""
    for turn, text in heard:
        for pattern in patterns:
            if (words := search(pattern, text)) is not None:
                yield Evidence(turn=turn, quote=words[:QUOTE_CHARACTERS])


def _found_before(item: Forbidden, transcript: Transcript, slow: PatternTooSlow) -> list[Evidence]:
    """What the other patterns find."""
    others = [pattern for pattern in item.patterns if pattern != slow.pattern]
    try:
        return list(pattern_hits(others, replies(transcript)))
    except PatternTooSlow:
        return []
