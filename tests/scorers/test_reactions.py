"""What counts as a complaint, as saying it again, and as thanks."""

from __future__ import annotations

import pytest

from monitor.scorers.reactions import complaints, is_complaint, is_rephrased, is_thanks
from tests.parties import transcript


@pytest.mark.parametrize(
    "text",
    [
        "I already told you that",
        "That is not what I asked!",
        "That’s not what I meant",
        "An IT job, I just said.",
        "what are you talking about",
        "I don't understand what you mean",
        "You're not listening to me",
        "what?",
        "this is useless",
        "that's wrong",
        "can i talk to a human?",
        "Why did you say that",
        "What does money have to do with it",
    ],
)
def test_a_complaint_is_heard(text: str) -> None:
    assert is_complaint(text)


@pytest.mark.parametrize(
    "text",
    [
        "No, I moved from the US to Austria.",
        "that makes sense, thanks",
        "that's right",
        "what is the fee?",
        "i do not know my order number",
        "i don't understand why she left",
        "how do you know when it is done?",
        "yes",
    ],
)
def test_an_ordinary_turn_is_no_complaint(text: str) -> None:
    assert not is_complaint(text)


def test_thanks_are_thanks_unless_they_complain() -> None:
    assert is_thanks("Thank you so much")
    assert not is_thanks("thanks, but you already said that")


def test_a_turn_said_again_is_rephrased_and_another_question_is_not() -> None:
    assert is_rephrased("I asked what your return policy is", ["what is your return policy?"])
    assert not is_rephrased("how long can i return a coat?", ["how long can i return shoes?"])
    assert not is_rephrased("yes please", ["yes please"])


def test_complaints_are_found_by_turn_and_never_in_the_first() -> None:
    talk = transcript("this is useless", "Why?", "it broke", "What is useless?", "i already told you", "Sorry.")
    assert complaints(talk) == [4]
