"""Which conversations are worth reading, cut to what a report can bear. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from monitor.check import Conversation
from monitor.check_report.report import Excerpt
from monitor.reveal import shorten
from monitor.score import ComponentScore, Evidence, ItemScore, Score
from monitor.transcript import ToolCall, Transcript, Turn

CONVERSATIONS = 10
GOOD_ONES = 3
"""Of a check without a failure the lowest few are shown all the same."""
TURN_CHARACTERS = 8_000
NOTE_CHARACTERS = 2_000
QUOTE_CHARACTERS = 500
TURNS, CALLS, ITEMS, QUOTES = 100, 20, 100, 5
CONVERSATION_CHARACTERS = 500_000
"""Of the turns of one; those that come later are left out, and counted."""
EXCERPTS_CHARACTERS = 1_500_000
"""All of them together; the first is there whatever its size, which the other limits bound."""


def worst(conversations: Iterable[Conversation], *, most: int = CONVERSATIONS) -> tuple[Excerpt, ...]:
    """The ones to read: of each intent its worst, then of each the second worst, and so on.

    Those that did not pass, or where all passed the lowest ones; where none says anything about the assistant, what
    kept them from it.
    """
    kept: list[Excerpt] = []
    size = 0
    for conversation in _ordered([*conversations])[:most]:
        excerpt = cut(conversation)
        size += _characters(excerpt.conversation)
        if kept and size > EXCERPTS_CHARACTERS:
            break
        kept.append(excerpt)
    return tuple(kept)


def worst_of(conversations: Iterable[Conversation], intent_id: str) -> Conversation | None:
    """The lowest one of an intent; None where none says anything about the assistant."""
    found = [c for c in conversations if c.intent_id == intent_id and c.value is not None]
    return min(found, key=_badness, default=None)


def _ordered(conversations: Sequence[Conversation]) -> list[Conversation]:
    valid = [c for c in conversations if c.is_valid]
    means = _means(valid)
    failed = [c for c in valid if not c.score.passed]
    if failed:
        return _by_turns(failed, means)
    return _by_turns(valid, means)[:GOOD_ONES] if valid else _by_turns(conversations, means)


def _means(valid: Iterable[Conversation]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for conversation in valid:
        values.setdefault(conversation.intent_id, []).append(conversation.value or 0.0)
    return {intent_id: sum(found) / len(found) for intent_id, found in values.items()}


def _by_turns(conversations: Iterable[Conversation], means: Mapping[str, float]) -> list[Conversation]:
    """The worst of each intent first, then the second worst of each; among these the intent with the lowest mean."""
    by_intent: dict[str, list[Conversation]] = {}
    for conversation in sorted(conversations, key=_badness):
        by_intent.setdefault(conversation.intent_id, []).append(conversation)
    ranked = [
        (rank, means.get(intent_id, 1.0), intent_id, conversation)
        for intent_id, found in by_intent.items()
        for rank, conversation in enumerate(found)
    ]
    return [conversation for *_, conversation in sorted(ranked, key=lambda entry: entry[:3])]


def _badness(conversation: Conversation) -> tuple[float, str, int, str]:
    value = conversation.value
    return (1.0 if value is None else value), conversation.intent_id, conversation.round, conversation.id


def cut(conversation: Conversation) -> Excerpt:
    """The conversation with every text cut, and what is too many left out."""
    transcript, score = conversation.transcript, conversation.score
    turns = tuple(_bounded(_cut_turn(turn) for turn in transcript.turns[:TURNS]))
    validity = conversation.validity
    if validity:
        validity = replace(validity, reason=_note(validity.reason), evidence=_cut_evidence(validity.evidence))
    return Excerpt(
        conversation=replace(
            conversation,
            transcript=replace(transcript, turns=turns, detail=_note(transcript.detail)),
            score=_cut_score(score),
            validity=validity,
        ),
        left_out=len(transcript.turns) - len(turns),
    )


def _bounded(turns: Iterable[Turn]) -> Iterator[Turn]:
    """The first ones, as many as fit."""
    size = 0
    for turn in turns:
        size += sum(map(len, _texts_of(turn)))
        if size > CONVERSATION_CHARACTERS:
            return
        yield turn


def _cut_turn(turn: Turn) -> Turn:
    calls = tuple(_cut_call(call) for call in turn.tool_calls[:CALLS])
    return replace(turn, text=shorten(turn.text, TURN_CHARACTERS), tool_calls=calls)


def _cut_call(call: ToolCall) -> ToolCall:
    result = None if call.result is None else _note(call.result)
    return replace(call, name=_note(call.name), arguments=_note(call.arguments), result=result)


def _cut_score(score: Score) -> Score:
    return replace(score, reason=_note(score.reason), components=tuple(_cut_component(c) for c in score.components))


def _cut_component(component: ComponentScore) -> ComponentScore:
    items = tuple(_cut_item(item) for item in component.items[:ITEMS])
    return replace(component, reason=_note(component.reason), items=items)


def _cut_item(item: ItemScore) -> ItemScore:
    return replace(item, reason=_note(item.reason), evidence=_cut_evidence(item.evidence))


def _cut_evidence(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    return tuple(replace(seen, quote=shorten(seen.quote, QUOTE_CHARACTERS)) for seen in evidence[:QUOTES])


def _note(text: str) -> str:
    return shorten(text, NOTE_CHARACTERS)


def _characters(conversation: Conversation) -> int:
    return sum(map(len, _texts(conversation.transcript, conversation.score)))


def _texts_of(turn: Turn) -> Iterator[str]:
    yield turn.text
    for call in turn.tool_calls:
        yield from (call.name, call.arguments, call.result or "")


def _texts(transcript: Transcript, score: Score) -> Iterator[str]:
    yield transcript.detail
    for turn in transcript.turns:
        yield from _texts_of(turn)
    for item in score.items:
        yield from (item.id, item.reason, *(seen.quote for seen in item.evidence))
