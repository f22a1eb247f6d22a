"""Conversations between scripted parties: every end, and whose fault it was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from monitor.assistants.contract import ConversationContext
from monitor.errors import (
    AssistantFailure,
    AssistantRateLimited,
    AssistantTimeout,
    CompletionRefused,
    CompletionUnavailable,
    EngineFailure,
    SimulatorInvalid,
    Stopped,
)
from monitor.intent import Intent
from monitor.simulate import simulate
from monitor.transcript import EndReason, Fault, Outcome, Role, Transcript, Turn
from monitor.user.contract import UserSimulator, UserTurn
from tests.parties import Clock, EchoAssistant, LinesUser, intent


async def play(user: UserSimulator, assistant: EchoAssistant, what: Intent | None = None, **how: float) -> Transcript:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + how["deadline"] if "deadline" in how else None
    context = ConversationContext(conversation_id="c", check_id="k", suite="s", intent_id="returns", deadline=deadline)
    return await simulate(what or intent(), user, assistant, context, seed=7, now=Clock())


async def test_two_parties_take_turns_until_the_user_ends() -> None:
    assistant = EchoAssistant()
    done = await play(LinesUser(["one", "two"]), assistant)
    assert [turn.text for turn in done.turns] == ["one", "you said: one", "two", "you said: two"]
    assert (done.end, done.outcome, assistant.closed) == (EndReason.USER_ENDED, Outcome.COMPLETED, 1)
    assert done.final is not None
    assert done.final.p_end == 0.25


async def test_the_conversation_is_named_at_every_turn_and_forgotten_at_the_end() -> None:
    user = LinesUser(["one", "two"])
    await play(user, EchoAssistant())
    assert (user.conversations, user.forgotten) == (["c", "c", "c"], ["c"])


async def test_a_conversation_that_breaks_off_is_forgotten_too() -> None:
    user = LinesUser(["one"])
    await play(user, EchoAssistant(answer=lambda _: AssistantFailure("empty")))
    assert user.forgotten == ["c"]


async def test_the_last_word_at_max_turns_is_the_assistants() -> None:
    done = await play(LinesUser(["one", "two", "three", "four"]), EchoAssistant())
    assert done.end is EndReason.MAX_TURNS
    assert len(done.turns) == 6
    assert done.turns[-1].role is Role.ASSISTANT


async def test_every_turn_has_a_seed_of_its_own_and_the_same_run_the_same_ones() -> None:
    first, second = LinesUser(["a", "b"]), LinesUser(["a", "b"])
    await play(first, EchoAssistant())
    await play(second, EchoAssistant())
    assert first.seeds == second.seeds
    assert len(set(first.seeds)) == 3


@pytest.mark.parametrize(
    ("failure", "outcome", "fault"),
    [
        (AssistantFailure("http_status", "HTTP 503"), Outcome.ASSISTANT_ERROR, Fault.ASSISTANT),
        (AssistantFailure("empty"), Outcome.ASSISTANT_ERROR, Fault.ASSISTANT),
        (AssistantTimeout("turn_deadline"), Outcome.ASSISTANT_TIMEOUT, Fault.ASSISTANT),
        (AssistantTimeout("conversation_deadline"), Outcome.ASSISTANT_TIMEOUT, Fault.ASSISTANT),
        (AssistantRateLimited("HTTP 429"), Outcome.RATE_LIMITED, Fault.OURS),
        (Stopped("kill_switch"), Outcome.CANCELLED, Fault.OURS),
        (Stopped("budget"), Outcome.CANCELLED, Fault.OURS),
    ],
)
async def test_a_failing_assistant_ends_the_conversation(failure: Exception, outcome: Outcome, fault: Fault) -> None:
    assistant = EchoAssistant(answer=lambda _: failure)
    done = await play(LinesUser(["one"]), assistant)
    assert (done.outcome, done.outcome.fault, assistant.closed) == (outcome, fault, 1)
    assert [turn.text for turn in done.turns] == ["one"]


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (SimulatorInvalid(("too_short",)), Outcome.SIMULATOR_INVALID),
        (CompletionUnavailable("gone"), Outcome.SIMULATOR_ERROR),
        (CompletionRefused("no"), Outcome.SIMULATOR_ERROR),
        (EngineFailure("no"), Outcome.SIMULATOR_ERROR),
    ],
)
async def test_a_failing_simulator_is_our_fault(failure: Exception, outcome: Outcome) -> None:
    done = await play(LinesUser(["one", failure]), EchoAssistant())
    assert (done.outcome, done.outcome.fault) == (outcome, Fault.OURS)
    assert len(done.turns) == 2


class ForeverThinking(LinesUser):
    async def next_turn(self, intent: Intent, turns: object, *, seed: int, conversation: str) -> UserTurn:
        await asyncio.Event().wait()
        raise AssertionError(intent, turns, seed, conversation)


async def test_time_that_ends_while_the_user_thinks_is_not_the_assistants_fault() -> None:
    done = await play(ForeverThinking([]), EchoAssistant(), deadline=0.0)
    assert (done.end, done.outcome) == (EndReason.CHECK_DEADLINE, Outcome.CANCELLED)


class SlowToFollowUp(LinesUser):
    async def next_turn(self, intent: Intent, turns: Sequence[Turn], *, seed: int, conversation: str) -> UserTurn:
        if turns:
            await asyncio.Event().wait()
        return await super().next_turn(intent, turns, seed=seed, conversation=conversation)


async def test_time_that_the_assistant_used_up_is_its_fault_whoever_speaks_when_it_ends() -> None:
    assistant = EchoAssistant(latency_seconds=9.0)
    done = await play(SlowToFollowUp(["one"]), assistant, deadline=0.05)
    assert (done.end, done.outcome) == (EndReason.CONVERSATION_DEADLINE, Outcome.ASSISTANT_TIMEOUT)


class Pondering(LinesUser):
    async def first_turn(self, intent: Intent, *, seed: int, conversation: str) -> UserTurn:
        await asyncio.sleep(0.02)
        return await super().first_turn(intent, seed=seed, conversation=conversation)


async def test_the_time_that_the_user_took_is_kept_with_the_turn() -> None:
    user, assistant = (await play(Pondering(["one"]), EchoAssistant(latency_seconds=9.0))).turns
    assert user.latency_seconds is not None
    assert 0.02 <= user.latency_seconds < 9.0
    assert assistant.latency_seconds == 9.0


class SlowToEnd(Pondering):
    async def next_turn(self, intent: Intent, turns: Sequence[Turn], *, seed: int, conversation: str) -> UserTurn:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def test_time_that_the_user_took_is_not_held_against_the_assistant() -> None:
    done = await play(SlowToEnd(["one"]), EchoAssistant(latency_seconds=0.0), deadline=0.1)
    assert (done.end, done.outcome) == (EndReason.CHECK_DEADLINE, Outcome.CANCELLED)


async def test_a_conversation_that_comes_too_late_is_not_begun() -> None:
    assistant = EchoAssistant()
    done = await play(LinesUser(["one"]), assistant, deadline=-1.0)
    assert (done.end, assistant.heard) == (EndReason.CHECK_DEADLINE, [])


async def test_turns_are_heard_as_they_are_said() -> None:
    heard: list[Turn] = []
    context = ConversationContext(conversation_id="c", check_id="k", suite="s", intent_id="returns")
    user, clock = LinesUser(["one"]), Clock()
    done = await simulate(intent(), user, EchoAssistant(), context, seed=7, now=clock, on_turn=heard.append)
    assert tuple(heard) == done.turns


async def test_cancelling_is_passed_on_and_the_session_closed() -> None:
    assistant = EchoAssistant()
    task = asyncio.create_task(play(ForeverThinking([]), assistant))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert assistant.closed == 1


def test_every_end_reason_has_an_outcome() -> None:
    assert {reason.outcome for reason in EndReason} == set(Outcome)
