"""Rounds are admitted in waves, in order, and no further than wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from monitor.check import Conversation
from monitor.intent import Intent
from monitor.rounds import Heard, Rounds
from monitor.rules.stopping import More
from monitor.transcript import EndReason, Outcome
from tests.parties import intent
from tests.store.samples import a_conversation

INTENTS = (intent(id="one"), intent(id="two"), intent(id="three"))


class Played:
    """What was begun, in order, and how many at most at a time."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int]] = []
        self.now = self.most = 0

    async def __call__(self, wanted: object, number: int) -> Conversation:
        name: str = wanted.id  # type: ignore[attr-defined]
        self.begun.append((name, number))
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return a_conversation(id=f"{name}-{number}", intent_id=name, round=number)


def rounds(played: Played, ask: Callable[[Heard], More | None], *, least: int = 2, at_once: int = 2) -> Rounds:
    return Rounds(intents=INTENTS, least=least, at_once=at_once, play=played, ask=ask)


async def test_the_least_rounds_are_played_whatever_is_heard() -> None:
    played = Played()
    heard = await rounds(played, lambda _: None).run()
    assert (heard.rounds, len(heard.conversations), played.most) == (2, 6, 2)
    assert played.begun == [(name, number) for number in range(2) for name in ("one", "two", "three")]


async def test_a_wave_is_broken_off_when_a_complete_round_is_enough() -> None:
    played = Played()
    heard = await rounds(played, lambda heard: More(rounds=4) if heard.rounds < 3 else None).run()
    assert heard.rounds == 3
    assert len(played.begun) < 3 * 4


async def test_what_was_under_way_when_there_was_enough_is_kept_and_not_played_again() -> None:
    played = Played()
    asked: list[int] = []

    def ask(heard: Heard) -> More | None:
        asked.append(heard.rounds)
        return {2: More(rounds=4), 3: More(rounds=2, is_confirming=True)}.get(heard.rounds)

    heard = await rounds(played, ask).run()
    assert heard.confirming_from == 3
    assert heard.rounds == 5
    assert len(played.begun) == len(set(played.begun)) == 15


async def test_some_intents_are_played_on_alone() -> None:
    played = Played()

    def ask(heard: Heard) -> More | None:
        if len(heard.conversations) < 9:
            return More(rounds=3, fingerprints=frozenset({INTENTS[1].fingerprint}))
        return None

    heard = await rounds(played, ask).run()
    assert played.begun[6:] == [("two", 2), ("two", 3), ("two", 4)]
    assert heard.rounds == 2


async def test_when_time_is_up_no_wave_begins() -> None:
    played = Played()
    wanted = rounds(played, lambda _: More(rounds=4))
    wanted.may_begin = lambda: False
    assert (await wanted.run()).rounds == 2


async def test_a_budget_that_ends_further_rounds_leaves_those_that_were_played() -> None:
    played = Played()

    async def play(wanted: Intent, number: int) -> Conversation:
        conversation = await played(wanted, number)
        forbidden = replace(conversation.transcript, outcome=Outcome.CANCELLED, end=EndReason.BUDGET)
        return replace(conversation, transcript=forbidden) if len(played.begun) > 10 else conversation

    heard = await Rounds(intents=INTENTS, least=2, at_once=1, play=play, ask=lambda _: More(rounds=4)).run()
    assert (heard.rounds, len(heard.conversations), len(played.begun)) == (3, 10, 11)


async def test_what_breaks_one_conversation_ends_all() -> None:
    async def play(_: object, number: int) -> Conversation:
        if number == 1:
            raise RuntimeError("away")
        await asyncio.sleep(0)
        return a_conversation(round=number)

    with pytest.raises(RuntimeError, match="away"):
        await Rounds(intents=INTENTS, least=2, at_once=2, play=play, ask=lambda _: None).run()
