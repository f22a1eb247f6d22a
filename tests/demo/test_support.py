"""The shop's assistant satisfies every customer of the demo while its index is good, and none while it is broken."""

from __future__ import annotations

import pytest

from monitor.demo.faq import load_faq
from monitor.demo.support import Said, SupportAssistant
from monitor.intent import Intent, RequiredFact
from tests.shipped import failed, measured, shipped_intents, user_lines

FAQ = load_faq()
INTENTS = shipped_intents("demo")
EVERY_INTENT = pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.id)


def replies(index: str, *lines: str) -> list[str]:
    """What the assistant says to these lines of one customer."""
    assistant = SupportAssistant(FAQ)
    assistant.deploy(index)
    said: list[Said] = []
    for line in lines:
        said.append(Said("user", line))
        said.append(Said("assistant", assistant.reply(said)))
    return [message.text for message in said if message.role == "assistant"]


@EVERY_INTENT
def test_the_good_index_satisfies_the_checklist(intent: Intent) -> None:
    assert failed(intent, replies("good", *user_lines(intent))) == []


@EVERY_INTENT
def test_the_first_answer_alone_holds_every_fact(intent: Intent) -> None:
    assert failed(intent, replies("good", user_lines(intent)[0])) == []


@EVERY_INTENT
def test_the_broken_index_fails_every_required_fact(intent: Intent) -> None:
    scores = measured(intent, replies("broken", *user_lines(intent)))
    assert not any(score.passed for score in scores if score.kind == "required_fact")


@EVERY_INTENT
def test_a_critical_fact_is_in_all_wordings_of_one_entry_and_in_no_other(intent: Intent) -> None:
    critical = {item.id for item in intent.checklist if isinstance(item, RequiredFact) and item.critical}

    def holds(answer: str) -> bool:
        return critical.isdisjoint(failed(intent, [answer]))

    having = [entry.id for entry in FAQ.entries if any(map(holds, entry.answers))]
    assert len(having) == 1
    assert all(map(holds, next(entry.answers for entry in FAQ.entries if entry.id == having[0])))


def test_eight_customers_want_eight_things() -> None:
    first_lines = [user_lines(intent)[0] for intent in INTENTS]
    assert len({replies("good", line)[0] for line in first_lines}) == len(INTENTS) == 8


def test_who_asks_again_hears_other_words() -> None:
    said = replies("good", "How long is a gift card valid?", "Really, how long is the gift card valid?", "how long?")
    assert len(set(said)) == 3
    assert all("five years" in text for text in said)


def test_a_vague_customer_is_asked_back_with_the_topics_and_then_helped() -> None:
    first, second, third = replies("good", "hi", "I have a question", "it is about the warranty")
    assert "returns" in first and "warranty" in first
    assert "parking" not in first and "payment methods" in second
    assert "three years" in third


def test_thanks_are_taken_but_a_question_after_them_is_answered() -> None:
    said = replies("good", "Is shipping free?", "thanks!", "Thanks, and when are you open?")
    assert said[1].startswith("You're welcome")
    assert "9 am" in said[2]


def test_the_same_conversation_gets_the_same_replies() -> None:
    lines = ("hello", "my jacket has a hole", "how much?")
    assert replies("good", *lines) == replies("good", *lines)
    assert replies("broken", *lines) == replies("broken", *lines)


def test_a_rollback_brings_the_good_answers_back() -> None:
    assistant = SupportAssistant(FAQ)
    question = [Said("user", "How long is a gift card valid?")]
    good = assistant.reply(question)
    assistant.deploy("broken")
    assert assistant.reply(question) != good
    assistant.deploy("good")
    assert (assistant.reply(question), assistant.version) == (good, 3)
