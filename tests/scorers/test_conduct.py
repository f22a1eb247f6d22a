"""The rules of conduct, each broken by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.score import ComponentScore
from monitor.scorers.conduct import Conduct
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
        ([LONG, LONG + " or some other proof that you bought them"], ["self_repetition"], 0.75),
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


async def test_silence_is_not_measured() -> None:
    assert (await conduct(transcript("hello?"))).value is None
