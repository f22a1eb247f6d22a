"""Limits around an assistant that is scripted in this file; time stands still unless a test says otherwise."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from monitor.assistants.budget import Allowance
from monitor.assistants.contract import ConversationContext, Reply
from monitor.assistants.limits import KillSwitch, LimitedAssistant, Limits
from monitor.errors import AssistantFailure, AssistantTimeout, Stopped
from monitor.transcript import Usage

Behaviour = Callable[[str], Awaitable[Reply]]


def replied(text: str = "Hello", usage: Usage | None = None) -> Reply:
    return Reply(text=text, latency_seconds=0.1, usage=usage)


class Scripted:
    """An assistant, and its only session, that behaves as it is told."""

    name = "scripted"

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.asked: list[str] = []
        self.is_closed = False

    async def open(self, context: ConversationContext) -> "Scripted":
        return self

    async def send(self, text: str) -> Reply:
        self.asked.append(text)
        return await self.behave(text)

    async def close(self) -> None:
        return None

    async def aclose(self) -> None:
        self.is_closed = True


async def answer(_text: str) -> Reply:
    return replied()


def context(check_id: str = "check-1", seconds: float | None = None) -> ConversationContext:
    deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
    return ConversationContext(conversation_id="c", check_id=check_id, suite="s", intent_id="i", deadline=deadline)


class HandClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Gate:
    """Answers once it is opened; counts who waits inside."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.entered: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, text: str) -> Reply:
        self.entered.put_nowait(text)
        await self.opened.wait()
        return replied()


async def test_no_more_requests_are_in_flight_than_allowed() -> None:
    gate = Gate()
    limited = LimitedAssistant(Scripted(gate), Limits(max_concurrent=2))
    sessions = [await limited.open(context()) for _ in range(5)]
    sending = [asyncio.create_task(session.send(str(n))) for n, session in enumerate(sessions)]
    assert [await gate.entered.get() for _ in range(2)] == ["0", "1"]
    await asyncio.sleep(0)
    assert gate.entered.empty()
    gate.opened.set()
    assert len(await asyncio.gather(*sending)) == 5


async def test_requests_keep_the_pace_and_the_wait_is_in_no_latency() -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    limited = LimitedAssistant(Scripted(answer), Limits(requests_per_second=0.5), clock=lambda: 100.0, sleep=sleep)
    session = await limited.open(context())
    replies = [await session.send("Hi") for _ in range(3)]
    assert slept == [2.0, 4.0]
    assert {reply.latency_seconds for reply in replies} == {0.1}


async def test_a_deadline_that_passes_in_our_queue_is_ours() -> None:
    gate = Gate()
    inner = Scripted(gate)
    limited = LimitedAssistant(inner, Limits(max_concurrent=1))
    first = asyncio.create_task((await limited.open(context())).send("first"))
    await gate.entered.get()
    with pytest.raises(Stopped, match="check_deadline: the time was spent waiting for our own limits"):
        await (await limited.open(context(seconds=0.05))).send("second")
    gate.opened.set()
    await first
    assert inner.asked == ["first"]


async def test_a_pace_that_no_deadline_allows_is_ours_and_takes_no_place() -> None:
    limited = LimitedAssistant(Scripted(answer), Limits(requests_per_second=0.01), clock=lambda: 100.0)
    await (await limited.open(context())).send("Hi")
    for _ in range(2):
        with pytest.raises(Stopped, match="check_deadline"):
            await (await limited.open(context(seconds=90))).send("Hi")


async def time_out(_text: str) -> Reply:
    raise AssistantTimeout("conversation_deadline")


async def test_a_deadline_that_passes_in_a_request_is_the_assistants() -> None:
    limited = LimitedAssistant(Scripted(time_out), Limits(), clock=lambda: 100.0)
    with pytest.raises(AssistantTimeout):
        await (await limited.open(context(seconds=60))).send("Hi")


@pytest.mark.parametrize(("queued_seconds", "blamed"), [(31.0, Stopped), (29.0, AssistantTimeout)])
async def test_a_deadline_that_passes_in_a_request_is_ours_if_our_queue_took_more_of_the_time(
    queued_seconds: float, blamed: type[Exception]
) -> None:
    clock = HandClock()

    async def behave(text: str) -> Reply:
        await asyncio.sleep(0)  # lets the second one come to the queue
        clock.now += queued_seconds if text == "first" else 60.0 - queued_seconds
        return replied() if text == "first" else await time_out(text)

    inner = Scripted(behave)
    limited = LimitedAssistant(inner, Limits(max_concurrent=1), clock=clock)
    first, second = await limited.open(context()), await limited.open(context(seconds=60))
    _, failure = await asyncio.gather(first.send("first"), second.send("second"), return_exceptions=True)
    assert type(failure) is blamed


@pytest.mark.parametrize("kind", ["flag", "file", "callable"])
async def test_the_kill_switch_is_looked_at_before_each_request(kind: str, tmp_path: Path) -> None:
    thrown: list[bool] = []
    inner = Scripted(answer)
    switch = KillSwitch(file=tmp_path / "stop", is_stopped=lambda: bool(thrown))
    session = await LimitedAssistant(inner, Limits(), switch=switch).open(context())
    await session.send("one")
    if kind == "flag":
        switch.enabled = False
    elif kind == "file":
        (tmp_path / "stop").touch()
    else:
        thrown.append(True)
    with pytest.raises(Stopped, match="kill_switch"):
        await session.send("two")
    assert inner.asked == ["one"]


async def test_a_switch_thrown_while_waiting_stops_those_who_wait() -> None:
    gate, switch = Gate(), KillSwitch()
    limited = LimitedAssistant(Scripted(gate), Limits(max_concurrent=1), switch=switch)
    first, second = [asyncio.create_task((await limited.open(context())).send("Hi")) for _ in range(2)]
    await gate.entered.get()
    switch.enabled = False
    gate.opened.set()
    assert (await first).text == "Hello"
    with pytest.raises(Stopped, match="kill_switch"):
        await second


async def test_a_switch_that_cannot_be_looked_at_stops(tmp_path: Path) -> None:
    switch = KillSwitch(file=tmp_path / ("x" * 300))
    with pytest.raises(Stopped, match="kill_switch"):
        await LimitedAssistant(Scripted(answer), Limits(), switch=switch).open(context())


async def test_a_spent_budget_stops_one_check_and_not_the_next() -> None:
    limited = LimitedAssistant(Scripted(answer), Limits(per_check=Allowance(requests=1)))
    session = await limited.open(context("a"))
    await session.send("Hi")
    with pytest.raises(Stopped, match="budget: 1 of 1 requests of this check"):
        await session.send("Hi")
    assert (await (await limited.open(context("b"))).send("Hi")).text == "Hello"


async def test_tokens_are_counted_as_stated() -> None:
    async def stated(_text: str) -> Reply:
        return replied(usage=Usage(prompt_tokens=40, completion_tokens=2))

    limited = LimitedAssistant(Scripted(stated), Limits(per_day=Allowance(tokens=42)))
    session = await limited.open(context())
    await session.send("Hi")
    assert limited.budget.spent_today.tokens == 42
    with pytest.raises(Stopped, match="budget: 42 of 42 tokens"):
        await session.send("Hi")


async def test_tokens_that_are_not_stated_grow_with_the_conversation() -> None:
    limited = LimitedAssistant(Scripted(answer), Limits())
    session = await limited.open(context())
    spent = [0]
    for _ in range(3):
        await session.send("How long can I return shoes?")
        spent.append(limited.budget.spent_today.tokens)
    first, second, third = (spent[turn + 1] - spent[turn] for turn in range(3))
    assert 0 < first < second < third


async def test_a_request_that_failed_has_spent_its_prompt_and_gives_its_place_back() -> None:
    async def fail(_text: str) -> Reply:
        raise AssistantFailure("http_status", "HTTP 500")

    limited = LimitedAssistant(Scripted(fail), Limits(max_concurrent=1))
    for _ in range(2):
        with pytest.raises(AssistantFailure):
            await (await limited.open(context())).send("Hi")
    assert limited.budget.spent_today.requests == 2
    assert limited.budget.spent_today.tokens > 0


async def test_name_and_end_are_those_of_the_assistant_within() -> None:
    inner = Scripted(answer)
    limited = LimitedAssistant(inner, Limits())
    await limited.aclose()
    assert (limited.name, inner.is_closed) == ("scripted", True)
