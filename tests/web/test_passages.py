"""Turns in stretches, with the items that quote them."""

from __future__ import annotations

from dataclasses import replace

from monitor.reveal import shorten
from monitor.score import ComponentScore, Evidence, ItemScore, Score
from monitor.web import passages
from monitor.web.rendering import TURN_CHARACTERS
from tests.web.examples import SCORE, TURNS, assistant


def test_a_turn_carries_the_items_whose_evidence_is_in_it() -> None:
    marks = [mark for _, of_component in passages.components(SCORE) for mark in of_component]
    marked = [[mark.item.id for mark in message.marks] for message in passages.messages(TURNS, marks)]
    assert marked == [[], ["thirty-days"], [], ["no-card-number"]]


def test_items_of_the_same_id_in_two_components_have_different_anchors() -> None:
    twice = replace(SCORE, components=SCORE.components * 2)
    anchors = [mark.anchor for _, marks in passages.components(twice) for mark in marks]
    assert len(anchors) == len(set(anchors)) == 6


def test_an_item_is_passed_failed_not_measured_or_off() -> None:
    item = SCORE.items[0]
    items = (item, replace(item, value=0.0), replace(item, value=None), replace(item, is_on=False))
    score = replace(SCORE, components=(replace(SCORE.components[0], items=items),))
    assert [mark.state for _, marks in passages.components(score) for mark in marks] == [
        "passed",
        "failed",
        "not measured",
        "off",
    ]


def quoting(*quotes: str, value: float | None = 0.0) -> tuple[ItemScore, ...]:
    return tuple(
        ItemScore(id=quote, kind="judge", value=value, reason="", evidence=(Evidence(turn=0, quote=quote),))
        for quote in quotes
    )


def shown(text: str, *items: ItemScore) -> list[tuple[str, list[str]]]:
    score = Score(value=0.0, reason="", gate=1.0, components=(ComponentScore(name="task", value=0.0, items=items),))
    marks = [mark for _, of_component in passages.components(score) for mark in of_component]
    (message,) = passages.messages([assistant(text)], marks)
    assert "".join(passage.text for passage in message.passages) == shorten(text, TURN_CHARACTERS)
    return [(passage.text, [mark.item.id for mark in passage.marks]) for passage in message.passages]


def test_the_words_that_an_item_quotes_are_marked_in_the_turn() -> None:
    assert shown("Within 30 days, unworn.", *quoting("30 days")) == [
        ("Within ", []),
        ("30 days", ["30 days"]),
        (", unworn.", []),
    ]


def test_where_quotes_overlap_the_failed_one_comes_first() -> None:
    items = (*quoting("a b", value=1.0), *quoting("b c"))
    assert shown("a b c", *items) == [("a ", ["a b"]), ("b", ["b c", "a b"]), (" c", ["b c"])]


def test_an_item_that_quotes_what_nobody_said_marks_nothing() -> None:
    assert shown("Hello.", *quoting("4.21 s")) == [("Hello.", [])]


def test_quotes_beyond_what_a_page_shows_of_a_turn_mark_nothing() -> None:
    assert shown("x" * TURN_CHARACTERS + " late", *quoting("late"))[0][1] == []
