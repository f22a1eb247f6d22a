"""A question finds its answer, however sloppily it is put."""

from __future__ import annotations

from itertools import combinations

import pytest

from monitor.demo.faq import Entry, Faq, load_faq
from monitor.text import jaccard

FAQ = load_faq()
ENTRIES = pytest.mark.parametrize("entry", FAQ.entries, ids=lambda entry: entry.id)

# First turns as small models and hasty people write them, for the topics that the demo's customers ask about.
FIRST_TURNS = {
    "returns": [
        "how much can you return a shoe?",
        "can you help me return my shoes?",
        "hi i want to know about returning shoes",
        "What is the deadline for returning a pair of shoes?",
        "How many days do I have to return shoes?",
        "can i return my shoes if they dont fit",
        "I have to return the shoes. How many days will it take?",
        "How long do i have to send shoes back?",
        "retrun of shoes, when is the deadline",
        "Hello, my shoes are too small and I want a refund",
    ],
    "delivery-time": [
        "how long does it take to deliver a box of toys?",
        "how much does the delivery take?",
        "how long does it take for me to deliver a package?",
        "how long does shipping take?",
        "How long does the delivery take?",
        "What is the time it takes to deliver a tent?",
        "hi, how long is delivery for a tent",
        "when will my tent arrive",
        "I just got a new tent, but how long do you need to deliver it?",
        "What is the delivery time for a new tent?",
    ],
    "shipping-cost": [
        "how much shipping costs?",
        "how much is shipping my sister's shipping?",
        "How much does the shipping cost?",
        "what is the cost of shipping",
        "is shipping free",
        "shiping costs?",
        "How much does shipping?",
        "I have to pay for the shipping. How much will it cost?",
        "How much does the shipping cost to ship my item?",
    ],
    "opening-hours": [
        "how can I get the shop to open on the right hours?",
        "how many hours does the shop open?",
        "how can I visit the shop in 4 hours?",
        "What are the opening hours of the shop?",
        "what time does the shop open on saturday",
        "hi are you open this saturday?",
        "When do you close on Saturdays?",
        "I want to know the opening hours of the shop.",
        "How can I check the opening hours?",
    ],
    "repairs": [
        "how much does a zip repair?",
        "how much does a broken zip cost?",
        "how much does it cost to repair a zip?",
        "How much does the repair of a broken zip cost?",
        "my tent is broken, can you fix it",
        "hi what is the price to repair a tent",
        "How much will it cost me to repair the zip?",
        "What is the price of repairing a broken zip?",
        "how much for repairng a zip",
    ],
    "gift-cards": [
        "how long does a gift card take to pay?",
        "how long a gift card is valid?",
        "how long does a gift card cost?",
        "How long is a gift card valid?",
        "when does my gift card expire",
        "hi i have a gift card is it still good",
        "Is a gift card valid for a month?",
        "I need a gift card. How long is the card?",
        "gift card expiration",
    ],
    "warranty": [
        "how long does the warranty last?",
        "can you tell me how much a 2 year warranty is?",
        "how many years does the shop give a year of warranty?",
        "How many years of warranty do you give?",
        "what is the warranty on the backpack",
        "hi is there a warranty for backpacks",
        "does my backpack have a guarantee",
        "warrenty for backpack how long",
        "Is a warranty of one year?",
    ],
    "cancel-order": [
        "can you help me get out of the order?",
        "how much time do you need to cancel an order?",
        "how long can you cancel an order?",
        "What is the deadline for cancelling an order?",
        "can i cancel my order",
        "hi i want to cancel the order i made",
        "I have to cancel 2 orders, so how many hours have I?",
        "How do I cancel an order I placed this morning?",
        "how long until i cant cancel my order",
    ],
}


def found(*turns: str) -> str | None:
    entry = FAQ.find(turns)
    return entry.id if entry else None


@ENTRIES
def test_each_of_its_questions_finds_an_entry(entry: Entry) -> None:
    assert [question for question in entry.questions if found(question) != entry.id] == []


@ENTRIES
def test_the_name_of_its_topic_finds_an_entry(entry: Entry) -> None:
    assert found(f"{entry.topic}?") == entry.id


@pytest.mark.parametrize("topic", FIRST_TURNS)
def test_nine_in_ten_sloppy_first_turns_find_their_entry(topic: str) -> None:
    turns = FIRST_TURNS[topic]
    missed = [turn for turn in turns if found(turn) != topic]
    assert len(missed) <= 0.1 * len(turns), missed


@pytest.mark.parametrize(
    "turn", ["hi", "Hello there!", "thanks a lot", "", "???", "What is the weather like?", "How many days?", "¿Qué?"]
)
def test_a_turn_without_a_topic_finds_nothing(turn: str) -> None:
    assert found(turn) is None


@pytest.mark.parametrize(
    ("turns", "topic"),
    [
        (["Can you repair my tent?", "and how much is it?"], "repairs"),
        (["Does my bag have a warranty?", "hm ok", "how long is it?"], "warranty"),
        (["What does shipping cost?", "And how long is a gift card valid?"], "gift-cards"),
        (["How long is a gift card valid?", "what about shipping costs?"], "shipping-cost"),
    ],
)
def test_a_follow_up_stays_on_its_topic_until_another_is_named(turns: list[str], topic: str) -> None:
    assert found(*turns) == topic


def test_the_off_by_one_index_gives_every_question_an_answer_of_another_entry() -> None:
    broken = FAQ.off_by_one()
    assert [entry.questions for entry in broken.entries] == [entry.questions for entry in FAQ.entries]
    assert not any(set(was.answers) & set(now.answers) for was, now in zip(FAQ.entries, broken.entries, strict=True))
    assert {entry.answers for entry in broken.entries} == {entry.answers for entry in FAQ.entries}


@ENTRIES
def test_the_wordings_of_an_answer_are_not_taken_for_repetition(entry: Entry) -> None:
    assert all(jaccard(one, other) < 0.6 for one, other in combinations(entry.answers, 2))


def test_an_empty_conversation_finds_nothing() -> None:
    assert Faq(shop="x", entries=FAQ.entries).find(["", " "]) is None
