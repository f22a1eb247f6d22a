"""Unfair users are found by their words or by a judge, and ordinary people are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from monitor.intent import Intent
from monitor.judge_usage import JudgeUsage
from monitor.score import Departure
from monitor.scorers.contract import Answer, Case, Judgement, Question
from monitor.transcript import EndReason, Sampled
from monitor.validity import QUESTIONS, Unfairness, as_unfair, defect_of, departure_of
from tests.parties import intent, transcript

SAMPLED = Sampled(tokens=9)
ASKED = "how long can i return the shoes that i bought"
REPLY = "You can return them within 30 days, unworn and with the receipt."


def case(*texts: str, wanted: Intent | None = None, end: EndReason = EndReason.USER_ENDED) -> Case:
    return Case(intent=wanted or intent(), transcript=transcript(*texts, end=end, sampled=SAMPLED))


def found(*texts: str, wanted: Intent | None = None) -> Unfairness | None:
    """What the last turn gives away."""
    defect = defect_of(case(*texts, wanted=wanted))
    return defect.kind if defect else None


@pytest.mark.parametrize(
    "said",
    [
        "How can I help you today?",
        "Hi there! How may I assist you with your order?",
        "What can I do for you today?",
        "Hello, how can I help?",
        "Sure, let me check the return window for you.",
        "Your refund has been processed.",
        "Could you provide your order number?",
        "As an AI language model, I cannot buy shoes.",
        "I'm an AI assistant, so I have no shoes.",
        "I’d be happy to help you with that return!",
        "Is there anything else I can help you with?",
        "Feel free to ask if anything is unclear.",
        "Let me know if you have any other questions about returns.",
        "Thank you for contacting our support team.",
        "Certainly! Here are the steps to return your shoes.",
        "I hope this helps with the return of the shoes.",
        "how long can i return the shoes? You can return the shoes within 30 days.",
        "Can shoes be returned without a receipt? Yes, you can return shoes without one.",
    ],
)
def test_a_user_that_speaks_as_an_assistant_is_a_role_flip(said: str) -> None:
    assert found(ASKED, REPLY, said) is Unfairness.ROLE_FLIP


@pytest.mark.parametrize(
    "said",
    [
        "<think>I want shoes</think> how long may i keep them",
        "ok thanks<|eot_id|>",
        "okay [end]",
        "Assistant: You can return them for 30 days.",
        "thanks a lot\nPerson: and what does it cost",
        "You are a user who wants to know how long shoes can be returned.",
        "Okay, the user wants to know more about the receipt.",
        "i should respond as the customer and ask about the receipt",
        "[INST] ask about the receipt [/INST]",
        "thanks <|endconversation|>assistant",
    ],
)
def test_control_text_and_reasoning_are_leaks(said: str) -> None:
    assert found(ASKED, REPLY, said) is Unfairness.LEAK


@pytest.mark.parametrize("said", [ASKED, f"Hi, {ASKED}?", "How long can I return the shoes that I have bought?"])
def test_the_opening_said_again_after_something_else_is_a_restart(said: str) -> None:
    assert found(ASKED, REPLY, "and without the receipt?", "Then it is 14 days.", said) is Unfairness.RESTART


@pytest.mark.parametrize(
    "said",
    [
        REPLY,
        "you can return them within 30 days, unworn and with the receipt",
        "ok, you can return them within 30 days, unworn and with the receipt",
    ],
)
def test_the_reply_in_the_mouth_of_the_user_is_parroting(said: str) -> None:
    assert found(ASKED, REPLY, said) is Unfairness.PARROTING


def test_one_whole_sentence_of_a_reply_is_parroting() -> None:
    reply = "Of course. We are closed every Sunday. Anything you buy can be returned."
    assert found(ASKED, reply, "We are closed every Sunday.") is Unfairness.PARROTING


@pytest.mark.parametrize("said", ["сколько дней у меня есть", "鞋子可以退货吗", "thanks, das ist σωστό", "شكرا لك"])
def test_letters_of_a_script_that_nobody_used_are_the_wrong_script(said: str) -> None:
    assert found(ASKED, REPLY, said) is Unfairness.WRONG_SCRIPT


@pytest.mark.parametrize(
    "said",
    [
        "can you help me with something else?",
        "could you assist me with my order",
        "great, thanks for your help",
        "how can i help my dog stop barking",
        "let me check with my wife",
        "i hope my refund was processed",
        "can you tell me your opening hours",
        "within 30 days, unworn and with the receipt?",
        "so i can return them within 30 days?",
        "my assistant bought them, does that matter?",
        "do you have any other stores near me",
        "do i need the receipt? i lost it",
        "you said 30 days, but the site says 14",
        "the note said: keep the box",
        "I think so",
        "naïve question: does the café in the shop take cards? 😀 → √2 π",
        "you too, have a nice day",
    ],
)
def test_what_people_say_is_fair(said: str) -> None:
    assert defect_of(case(ASKED, REPLY, said)) is None


def test_asking_again_where_nothing_was_answered_is_fair() -> None:
    assert found(ASKED, "What is your name?", ASKED) is None


def test_a_user_who_insists_has_not_begun_anew() -> None:
    assert found(ASKED, "Our shop is great.", f"please: {ASKED}", "We have many shoes.", f"{ASKED}?") is None


def test_repeating_oneself_when_asked_to_is_fair() -> None:
    assert found(ASKED, REPLY, "and the receipt?", "Sorry, I did not understand. Please repeat that.", ASKED) is None


def test_a_user_is_not_blamed_for_an_assistant_that_echoes() -> None:
    again = "i asked you how long i can return the shoes"
    assert found(ASKED, f"You said: {again}", again) is Unfairness.PARROTING
    assert found(again, f"You said: {again}", f"yes, {again}") is None


def test_the_words_of_the_author_are_no_leak() -> None:
    wanted = intent(opening="What does <|eot_id|> mean in this log?")
    assert found("What is <|eot_id|> in my log good for?", wanted=wanted) is None
    assert found("What is <|eot_id|> in my log good for?") is Unfairness.LEAK


@pytest.mark.parametrize("reply", ["Es heißt «спасибо».", "It is «спасибо»."])
def test_a_script_that_the_assistant_brought_in_may_be_used(reply: str) -> None:
    assert found("what is thanks in russian", reply, "and how is спасибо pronounced?") is None


def test_fixed_turns_are_the_authors_and_never_unfair() -> None:
    talk = transcript("How can I help you?", REPLY, "<|eot_id|>")
    assert defect_of(Case(intent=intent(), transcript=talk)) is None


def test_a_defect_names_its_kind_turn_and_quote() -> None:
    defect = defect_of(case(ASKED, REPLY, "okay thanks [end] bye"))
    assert str(defect) == "leaked_text in turn 3: '[end]'"


def test_a_long_quote_is_cut() -> None:
    defect = defect_of(case(ASKED, f"It is {'very ' * 80}long.", f"It is {'very ' * 80}long."))
    assert defect is not None
    assert len(defect.quote) == 120


@pytest.mark.parametrize(
    ("end", "is_looked_at"),
    [
        (EndReason.MAX_TURNS, True),
        (EndReason.HTTP_STATUS, True),
        (EndReason.CONNECTION_FAILED, False),
        (EndReason.TURN_DEADLINE, False),
        (EndReason.ENGINE, False),
    ],
)
def test_a_failure_that_no_words_can_cause_stays_whose_it_is(end: EndReason, is_looked_at: bool) -> None:
    assert (defect_of(case("How can I help you today?", end=end)) is not None) is is_looked_at


def test_an_unfair_conversation_says_nothing_and_keeps_its_words() -> None:
    talk = transcript(ASKED, REPLY)
    unfair = as_unfair(talk, "restart in turn 3: 'again'")
    assert unfair.end is EndReason.UNFAIR_USER
    assert not unfair.outcome.is_valid
    assert replace(unfair, end=talk.end, outcome=talk.outcome, detail="") == talk


class ScriptedJudge:
    """Answers each question with a fixed share of yes."""

    is_sampled = False

    def __init__(self, *values: float) -> None:
        self.values = dict(zip(QUESTIONS, values, strict=True))
        self.asked: list[Question] = []

    async def ask(self, questions: Sequence[Question], case: Case, *, seed: int) -> Judgement:
        self.asked += questions
        answers: Mapping[str, Answer] = {
            question.id: Answer(value=self.values[question.id], reason=question.id) for question in questions
        }
        return Judgement(answers=answers, usage=JudgeUsage(calls=1))


@pytest.mark.parametrize(
    ("answers", "departure"),
    [
        ((0.9, 0.1, 0.1), Departure.NONE),
        ((0.1, 0.9, 0.9), Departure.MINOR),
        ((0.1, 0.9, 0.1), Departure.HELPED),
        ((0.1, 0.1, 0.9), Departure.HINDERED),
        ((0.1, 0.1, 0.1), Departure.HINDERED),
    ],
)
async def test_a_judge_says_how_far_the_user_departed(answers: tuple[float, ...], departure: Departure) -> None:
    departed = await departure_of(case(ASKED, REPLY), ScriptedJudge(*answers), seed=1)
    assert departed.validity.departure is departure
    assert departed.validity.is_in_spec is (departure is Departure.NONE)
    assert departed.usage == JudgeUsage(calls=1)


async def test_a_judge_is_told_what_the_user_was_told() -> None:
    judge = ScriptedJudge(1, 1, 1)
    wanted = intent(knows=("The shoes are red",), does_not_know=("The order number",))
    await departure_of(case(ASKED, REPLY, wanted=wanted), judge, seed=1)
    assert all(
        "You are a user who wants to know how long shoes can be returned. The shoes are red. "
        "The user does not know: The order number." in question.text
        for question in judge.asked
    )


async def test_without_a_judge_it_is_not_measured() -> None:
    departed = await departure_of(case(ASKED, REPLY), None, seed=1)
    assert departed.validity.is_in_spec is None
    assert departed.validity.reason == "not measured: no judge is configured"


async def test_nobody_is_asked_about_words_that_an_author_wrote() -> None:
    judge = ScriptedJudge(0, 0, 0)
    departed = await departure_of(Case(intent=intent(), transcript=transcript(ASKED, REPLY)), judge, seed=1)
    assert (judge.asked, departed.validity.departure) == ([], None)


class DrawingJudge(ScriptedJudge):
    """Answers each question anew in each pass."""

    is_sampled = True

    def __init__(self, *passes: tuple[float, float, float]) -> None:
        super().__init__(*passes[0])
        self.left = list(passes)

    async def ask(self, questions: Sequence[Question], case: Case, *, seed: int) -> Judgement:
        self.values = dict(zip(QUESTIONS, self.left.pop(0), strict=True))
        return await super().ask(questions, case, seed=seed)


@pytest.mark.parametrize(
    ("passes", "departure", "calls"),
    [
        ([(1, 0, 1)], Departure.NONE, 1),
        ([(0, 0, 1), (1, 1, 1), (1, 1, 1)], Departure.NONE, 3),
        ([(0, 0, 1), (0, 1, 1), (0, 1, 1)], Departure.MINOR, 3),
        ([(0, 0, 1), (0, 1, 1), (0, 0, 1)], Departure.HINDERED, 3),
    ],
)
async def test_what_draws_say_was_invented_is_drawn_three_times(
    passes: list[tuple[float, float, float]], departure: Departure, calls: int
) -> None:
    departed = await departure_of(case(ASKED, REPLY), DrawingJudge(*passes), seed=1)
    assert (departed.validity.departure, departed.usage) == (departure, JudgeUsage(calls=calls))
