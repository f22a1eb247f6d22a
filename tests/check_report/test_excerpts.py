"""Which conversations are read, and what is cut of them."""

from __future__ import annotations

from dataclasses import replace

from monitor.check import Conversation
from monitor.check_report.excerpts import (
    CONVERSATION_CHARACTERS,
    EXCERPTS_CHARACTERS,
    ITEMS,
    NOTE_CHARACTERS,
    QUOTE_CHARACTERS,
    TURN_CHARACTERS,
    TURNS,
    cut,
    worst,
    worst_of,
)
from monitor.transcript import EndReason, ToolCall
from tests.check_report.samples import AT, FALLEN, REFUND, SHOES, conversation, play, score, transcript


def names(conversations: list[Conversation], most: int = 10) -> list[str]:
    return [excerpt.conversation.id for excerpt in worst(conversations, most=most)]


def test_each_intent_has_its_turn() -> None:
    assert names(play("c", FALLEN), most=3) == ["c-refund-1", "c-opening-hours-2", "c-refund-0"]


def test_where_all_passed_the_lowest_few_are_read() -> None:
    good = play("c", {"shoes": (1.0, 0.9, 1.0), "refund": (0.8, 1.0)})
    assert names(good) == ["c-refund-0", "c-shoes-1", "c-refund-1"]


def test_where_none_says_anything_what_kept_them_from_it_is_read() -> None:
    assert names(play("c", {"shoes": (EndReason.GUARDRAILS,) * 2})) == ["c-shoes-0", "c-shoes-1"]


def test_a_failure_of_ours_is_not_read_beside_those_of_the_assistant() -> None:
    assert names(play("c", {"shoes": (EndReason.ENGINE, 0.1)})) == ["c-shoes-1"]


def test_the_worst_of_an_intent() -> None:
    found = worst_of(play("c", FALLEN), "opening-hours")
    assert found is not None
    assert found.transcript.end is EndReason.HTTP_STATUS
    assert worst_of(play("c", {"shoes": (EndReason.ENGINE,)}), "shoes") is None


def long_one(number: int = 0, characters: int = 100_000) -> Conversation:
    calls = (ToolCall(name="n" * 9000, arguments="a" * 9000, result="r" * 9000),) * 50
    said = transcript(AT, said=("x" * characters,) * (TURNS + 7), detail="d" * 9000, calls=calls)
    return replace(conversation("c", REFUND, number, 0.1), transcript=said)


def test_texts_are_cut_and_turns_beyond_many_counted() -> None:
    made = score(0.1, quote="q" * 9000)
    (component,) = made.components
    many = replace(component, items=component.items * (ITEMS + 5), reason="r" * 9000)
    excerpt = cut(replace(long_one(), score=replace(made, components=(many,), reason="s" * 9000)))
    (first, second, *_) = excerpt.conversation.transcript.turns
    note = f"… ({9000 - NOTE_CHARACTERS:,} more characters are not shown)"
    assert len(first.text) < TURN_CHARACTERS + 100
    assert (len(second.tool_calls), second.tool_calls[0].arguments) == (20, "a" * NOTE_CHARACTERS + note)
    (shown,) = excerpt.conversation.score.components
    assert (len(shown.items), shown.reason) == (ITEMS, "r" * NOTE_CHARACTERS + note)
    assert shown.items[0].evidence[0].quote.startswith("q" * QUOTE_CHARACTERS + "… (8,500 more")


def test_many_turns_are_left_out_and_counted() -> None:
    excerpt = cut(long_one(characters=10))
    assert (len(excerpt.conversation.transcript.turns), excerpt.left_out) == (TURNS, 7)


def test_long_turns_are_left_out_and_counted() -> None:
    excerpt = cut(long_one())
    size = sum(len(turn.text) for turn in excerpt.conversation.transcript.turns)
    assert CONVERSATION_CHARACTERS / 2 < size < CONVERSATION_CHARACTERS
    assert len(excerpt.conversation.transcript.turns) + excerpt.left_out == TURNS + 7


def test_all_of_them_together_are_bounded_and_one_is_always_there() -> None:
    huge = [long_one(number) for number in range(5)]
    shown = worst(huge, most=5)
    size = sum(len(turn.text) for excerpt in shown for turn in excerpt.conversation.transcript.turns)
    assert 1 < len(shown) < 5
    assert size < EXCERPTS_CHARACTERS
    assert worst([], most=5) == ()


def test_none_of_a_check_that_wants_none() -> None:
    assert names([conversation("c", SHOES, 0, 0.1)], most=0) == []
