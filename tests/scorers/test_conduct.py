"""The rules of conduct, each broken by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.score import ComponentScore
from monitor.scorers.conduct import READ_CHARACTERS, Conduct
from monitor.scorers.contract import Case
from monitor.transcript import Transcript
from tests.parties import intent, transcript

LONG = "You can return shoes within thirty days if you kept the box and the bill"


async def conduct(talk: Transcript, **changes: object) -> ComponentScore:
    return await Conduct(slow_seconds=10).score(Case(intent=intent(**changes), transcript=talk), {})


@pytest.mark.parametrize(
    ("replies", "broken", "value"),
    [
        (["All is well.", "Shoes go back in thirty days."], [], 1.0),
        ([LONG, LONG + "!"], ["self_repetition"], 0.5),
        (["Something went wrong."], ["boilerplate"], 0.5),
        (["  "], ["boilerplate"], 0.5),
        (["Something went wrong with your parcel, so we sent another."], [], 1.0),
        (["Cafǆ Ã©tÃ© Ã¨ Ã©tÃ©"], ["mojibake"], 0.5),
        (["I'm sorry, but I can't help with that."], ["refusal"], 0.5),
        (["I cannot assist you with this."], ["refusal"], 0.5),
        (["I am sorry to hear that. Send them back."], [], 1.0),
    ],
)
async def test_each_rule_costs_its_penalty(replies: list[str], broken: list[str], value: float) -> None:
    component = await conduct(transcript(*[text for reply in replies for text in ("and?", reply)]))
    assert [item.id for item in component.items if not item.passed] == broken
    assert component.value == value


GOOD = (
    (
        "hello, i want to return a pair of shoes",
        "Of course. You can return shoes within 30 days:\n\n1. Pack them in their box.\n2. Print the label from your "
        "account.\n3. Bring the parcel to any post office.\n\nIs there anything else I can help you with?",
        "and how do i get my money back?",
        "Once the parcel has arrived we check the shoes, and then:\n\n1. Your money goes back to the card you paid "
        "with.\n2. You get an e-mail that says so.\n\nThat takes about five days. Is there anything else I can help "
        "you with?",
        "can i return them in a shop too?",
        "Yes. Bring the shoes and your receipt to one of our shops within 30 days, and you get your money at once. "
        "Is there anything else I can help you with?",
    ),
    ("is the museum open on mondays?", "No."),
    ("is it open on mondays?", "No.", "and on sundays?", "Yes, from 10 to 5.", "what is the fee?", "9 euros."),
    ("安い靴を返品したいです", "返品は三十日以内です。箱と領収書をお持ちください。"),
)


@pytest.mark.parametrize("texts", GOOD)
async def test_an_ordinary_good_assistant_is_not_punished(texts: tuple[str, ...]) -> None:
    component = await conduct(transcript(*texts))
    assert component.value == pytest.approx(1.0, abs=0.03)
    assert all(item.passed for item in component.items)


async def test_repetition_costs_more_the_more_is_said_again() -> None:
    more = " or some other proof that you bought them"
    talks = ([LONG, "Send them back soon."], [LONG, LONG + more], [LONG, LONG + "!"])
    values = [(await conduct(transcript("and?", one, "so?", other))).value for one, other in talks]
    assert values[0] == 1.0 > (values[1] or 0) > (values[2] or 0) == 0.5


async def test_a_question_asked_again_is_told_with_its_turn() -> None:
    talk = transcript("i lost my card", "Oh. Which card is it?", "the blue one i told you of", "Which card is it now?")
    component = await conduct(talk)
    item = next(item for item in component.items if item.id == "asked_again")
    assert (item.value, [evidence.turn for evidence in item.evidence]) == (0.0, [3])


async def test_thin_replies_count_from_three_on() -> None:
    thin = ["i am so sad today, my cat died", "Ok."]
    assert (await conduct(transcript(*thin))).value == 1.0
    talk = transcript(*thin, "she was with me for ten years", "Nice.", "i do not know what to do now", "Good.")
    assert (await conduct(talk)).value == pytest.approx(1 - 0.2 * 11 / 12)


async def test_a_user_who_complains_costs_and_one_who_thanks_forgives() -> None:
    def talk(last: str) -> Transcript:
        return transcript("how long do i have?", LONG, last, LONG)

    assert (await conduct(talk("that is not what i asked"))).value == pytest.approx(0.2)
    assert (await conduct(talk("and a coat?"))).value == pytest.approx(0.5)
    assert (await conduct(talk("oh great, thank you"))).value == pytest.approx(0.75)


async def test_complaints_of_a_refusal_that_is_right_cost_nothing() -> None:
    talk = transcript("give me her number", "That stays with us.", "that is not what i asked", "We keep it private.")
    assert (await conduct(talk, allowed=False)).value == 1.0


async def test_every_signal_is_there_for_a_single_reply() -> None:
    one, more = await conduct(transcript("?", "Yes.")), await conduct(transcript("?", LONG, "?", LONG))
    assert one.signals.keys() == more.signals.keys()
    assert (one.signals["max_reuse"], more.signals["max_reuse"]) == (0.0, 1.0)


async def test_a_refusal_is_right_where_the_wish_is_not_allowed() -> None:
    assert (await conduct(transcript("?", "I can't help with that."), allowed=False)).value == 1.0


async def test_slow_and_cut_off_replies_cost_a_quarter_each() -> None:
    talk = transcript("?", "well")
    bad = replace(talk.turns[1], latency_seconds=10.1, finish_reason="length")
    component = await conduct(replace(talk, turns=(talk.turns[0], bad)))
    assert [item.id for item in component.items if not item.passed] == ["truncated", "slow"]
    assert component.value == 0.5


async def test_penalties_never_go_below_zero() -> None:
    talk = ["?", "I can't help you. \ufffd\ufffd\ufffd", "?", "I can't help you. \ufffd\ufffd\ufffd"]
    assert (await conduct(transcript(*talk))).value == 0.0


async def test_what_stands_beyond_what_is_read_of_a_reply_counts_for_nothing() -> None:
    far = "All is well. ".ljust(READ_CHARACTERS, ".")
    refused, near = [await conduct(transcript("?", f"{said} I cannot help you.")) for said in (far, far[:-99])]
    assert [item.value for component in (refused, near) for item in component.items if item.id == "refusal"] == [1, 0]
    assert (refused.signals["refusals"], near.signals["refusals"]) == (0, 1)


async def test_silence_is_not_measured() -> None:
    assert (await conduct(transcript("hello?"))).value is None
