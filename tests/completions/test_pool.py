"""Several servers as one: real engines, scripted ones where an engine cannot be made to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from monitor.completions import CompletionClient, CompletionPool, CompletionRequest, ModelInfo
from monitor.errors import CompletionRefused, CompletionUnavailable, EngineFailure
from monitor.http import HttpClient
from tests.completions.test_client import answer, answering, models
from tests.fixtures.assistants import NO_TRUST, Reaction, ScriptedAssistant, ServeAssistant, responds, responds_json
from tests.fixtures.models import EngineChild, running_engine

PROMPT = tuple(range(1000, 1020))
quick_pool = partial(CompletionPool, probe_seconds=0.05, away_probe_seconds=0.05)


async def at_once() -> None:
    return None


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.02)


@dataclass
class Engines:
    """Engines by name, each on a Unix socket of its own; `start` again takes the same place."""

    folder: Path
    sockets: Path
    stack: contextlib.ExitStack

    def start(self, name: str) -> EngineChild:
        return self.stack.enter_context(running_engine(self.folder, self.socket(name)))

    def socket(self, name: str) -> Path:
        return self.sockets / f"{name}.sock"


@pytest.fixture
def engines(userlm_folder: Path, tmp_path: Path) -> Iterator[Engines]:
    with contextlib.ExitStack() as stack:
        yield Engines(userlm_folder, tmp_path, stack)


ClientOf = Callable[[Path], CompletionClient]


@pytest.fixture
async def client_of() -> AsyncIterator[ClientOf]:
    async with contextlib.AsyncExitStack() as stack:

        def client(socket: Path) -> CompletionClient:
            http = HttpClient(socket=str(socket), max_response_bytes=50_000_000, verify=NO_TRUST)
            stack.push_async_callback(http.aclose)
            return CompletionClient(http, "http://engine")

        yield client


def kill(engine: EngineChild) -> None:
    os.kill(engine.process.pid, signal.SIGKILL)
    engine.process.wait(10)


def counted(engine: EngineChild) -> int:
    """Completions that the engine has finished."""
    lines = engine.client.get("/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("assistant_monitor_engine_requests_t"))


@dataclass
class Talks:
    """Twelve conversations of four turns at once; `kill` is called once when a third of the turns is done."""

    ask: CompletionPool | CompletionClient
    kill: Callable[[], None] = lambda: None
    turns: int = 0

    async def all(self) -> list[list[int]]:
        return list(await asyncio.gather(*(self.one(number) for number in range(12))))

    async def one(self, number: int) -> list[int]:
        said = list(PROMPT[: 5 + number % 7])
        for turn in range(4):
            request = CompletionRequest(
                prompt=tuple(said), max_tokens=8, seed=100 * number + turn, conversation=f"conversation-{number}"
            )
            said += [*(await self.ask.complete(request)).ids, 2000 + number]
            self.turns += 1
            if self.turns == 16:
                self.kill()
        return said


@contextlib.asynccontextmanager
async def watched(pool: CompletionPool) -> AsyncIterator[None]:
    watching = asyncio.create_task(pool.watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait({watching})


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if f"event={name}" in record.getMessage()]


async def test_conversations_survive_a_server_that_is_killed_and_it_is_used_again(
    engines: Engines, client_of: ClientOf, userlm_engine: EngineChild, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "monitor.completions.pool")
    one = engines.start("one")
    clients = {"one": client_of(engines.socket("one")), "two": client_of(userlm_engine.socket)}
    pool = quick_pool(clients, window=2048, recover=at_once)
    await pool.model_info()
    async with watched(pool):
        assert await Talks(pool, lambda: kill(one)).all() == await Talks(clients["two"]).all()
        assert pool.is_answered
        moved = events(caplog, "conversation_moved")
        assert len(moved) == 6
        assert all(line.endswith("from=one to=two") for line in moved)
        again = engines.start("one")
        await until(lambda: events(caplog, "server_")[-1] == "event=server_up server=one")
        await pool.complete(CompletionRequest(prompt=PROMPT, max_tokens=2, conversation="new"))
        assert counted(again) == 1


async def test_with_every_server_away_the_failure_is_ours(engines: Engines, client_of: ClientOf) -> None:
    running = [engines.start(name) for name in ("one", "two")]
    clients = {name: client_of(engines.socket(name)) for name in ("one", "two")}
    pool = CompletionPool(clients, window=2048, recover=at_once)
    await pool.model_info()
    for engine in running:
        kill(engine)
    with pytest.raises(CompletionUnavailable):
        await pool.complete(CompletionRequest(prompt=PROMPT, max_tokens=2, conversation="new"))
    assert not pool.is_answered


@pytest.mark.model
async def test_an_engine_of_another_model_is_named(
    engines: Engines, client_of: ClientOf, userlm_engine: EngineChild, smollm2_folder: Path
) -> None:
    replace(engines, folder=smollm2_folder).start("odd")
    clients = {"good": client_of(userlm_engine.socket), "odd": client_of(engines.socket("odd"))}
    with pytest.raises(EngineFailure, match="odd serves another model than good: its tokenizer"):
        await CompletionPool(clients, window=64).model_info()


def tokenizer_of(*ends: int) -> Reaction:
    """What an engine of ours hands out, with these ends of a text."""
    special = {"eos": list(ends)}
    return responds_json(
        {"model": "m", "tokenizer": {}, "chat_template": None, "special": special, "max_context": 2048}
    )


async def test_an_engine_whose_texts_end_otherwise_is_named(serve_assistant: ServeAssistant, http: HttpClient) -> None:
    clients = {}
    for name, end in (("first", 1), ("same", 1), ("odd", 2)):
        server = await serve_assistant(
            lambda request, end=end: (  # type: ignore[misc]
                models("assistant-monitor") if request.path == "/v1/models" else tokenizer_of(end)
            )
        )
        clients[name] = CompletionClient(http, server.origin, model="m")
    with pytest.raises(EngineFailure, match="odd serves another model than first: its texts end"):
        await CompletionPool(clients, window=64).model_info()


async def test_a_window_that_a_server_does_not_take_is_told(client_of: ClientOf, userlm_engine: EngineChild) -> None:
    pool = CompletionPool({"small": client_of(userlm_engine.socket)}, window=4096)
    with pytest.raises(EngineFailure, match="window is 4096, but the model at small takes 2048"):
        await pool.model_info()


async def test_a_server_that_is_away_at_the_start_is_looked_at_when_it_comes(
    serve_assistant: ServeAssistant, http: HttpClient, userlm_info: ModelInfo
) -> None:
    away = await serve_assistant(lambda _: responds(503))
    pool = quick_pool(
        {"away": CompletionClient(http, away.origin, model="m"), "there": await scripted(serve_assistant, http)},
        window=2048,
        model=userlm_info,
    )
    assert await pool.model_info() == userlm_info
    away.answer = lambda _: models(max_model_len=1024)
    before = len(away.received)
    async with watched(pool):
        await until(lambda: len(away.received) > before + 2)
    await pool.complete(CompletionRequest(prompt=PROMPT, max_tokens=2))
    assert {sent.path for sent in away.received} == {"/v1/models"}, "its window is too small: it is not used"


async def scripted(serve_assistant: ServeAssistant, http: HttpClient) -> CompletionClient:
    server = await serve_assistant(answering(answer()))
    return CompletionClient(http, server.origin, model="m")


@dataclass
class Two:
    """A pool of two scripted servers that answer as vLLM does."""

    pool: CompletionPool
    servers: list[ScriptedAssistant]

    async def complete(self, conversation: str) -> list[int]:
        """How many completions each server was asked for."""
        await self.pool.complete(CompletionRequest(prompt=PROMPT, max_tokens=2, conversation=conversation))
        return self.asked()

    def asked(self) -> list[int]:
        return [sum(sent.method == "POST" for sent in server.received) for server in self.servers]


@pytest.fixture
async def two(serve_assistant: ServeAssistant, http: HttpClient, userlm_info: ModelInfo) -> Two:
    servers = [await serve_assistant(answering(answer())) for _ in range(2)]
    clients = {f"s{number}": CompletionClient(http, server.origin, model="m") for number, server in enumerate(servers)}
    pool = CompletionPool(clients, window=2048, model=userlm_info, recover=at_once)
    await pool.model_info()
    return Two(pool, servers)


async def test_a_conversation_goes_where_the_fewest_are_and_stays(two: Two) -> None:
    assert await two.complete("a") == [1, 0]
    assert await two.complete("b") == [1, 1]
    assert await two.complete("a") == [2, 1]
    assert await two.complete("c") == [3, 1]
    assert await two.complete("b") == [3, 2]


async def test_a_conversation_that_is_over_makes_room(two: Two) -> None:
    await two.complete("a")
    await two.complete("b")
    two.pool.forget("a")
    assert await two.complete("c") == [2, 1]


async def test_a_full_queue_is_gone_round_and_the_conversation_stays(two: Two) -> None:
    await two.complete("a")
    two.servers[0].answer = answering(responds(429), answer())
    assert await two.complete("a") == [2, 1]
    assert await two.complete("a") == [3, 1]
    assert two.pool.is_answered


async def test_both_full_there_is_one_more_round(two: Two) -> None:
    for server in two.servers:
        server.answer = answering(responds(429), answer())
    assert await two.complete("a") == [2, 1]


async def test_new_conversations_avoid_a_server_until_a_probe_is_answered(two: Two) -> None:
    await two.complete("a")
    two.servers[0].answer = lambda _: responds(503)
    assert await two.complete("a") == [2, 1]
    assert await two.complete("b") == [2, 2]
    two.servers[0].answer = answering(answer())
    await two.pool.probe()
    assert await two.complete("c") == [3, 2]


async def test_a_key_that_one_server_does_not_take_moves_its_conversations(two: Two) -> None:
    two.servers[0].answer = lambda _: responds(401)
    assert await two.complete("a") == [1, 1]
    assert two.pool.is_answered


async def test_a_request_that_is_wrong_is_asked_of_one_server_alone(two: Two) -> None:
    two.servers[0].answer = answering(responds(400))
    with pytest.raises(CompletionRefused):
        await two.complete("a")
    assert two.asked() == [1, 0]


async def test_two_rounds_of_failures_are_the_callers(two: Two) -> None:
    for server in two.servers:
        server.answer = answering(responds(500))
    with pytest.raises(CompletionUnavailable, match="500"):
        await two.complete("a")
    assert two.asked() == [2, 2]


async def test_servers_that_let_nobody_in_are_not_ready(two: Two) -> None:
    for server in two.servers:
        server.answer = lambda _: responds(403)
    await two.pool.probe()
    assert not two.pool.is_answered


async def test_probing_survives_what_nobody_expected(
    two: Two, http: HttpClient, userlm_info: ModelInfo, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(CompletionClient):
        async def identify(self) -> object:  # type: ignore[override]
            raise ValueError("unexpected")

    first, second = (server.origin for server in two.servers)
    clients = {"broken": Broken(http, first, model="m"), "good": CompletionClient(http, second, model="m")}
    pool = quick_pool(clients, window=64, model=userlm_info)
    async with watched(pool):
        await until(lambda: pool.is_answered and len(events(caplog, "probe_broke server=broken")) > 1)


async def test_the_wait_for_the_first_server_is_told(
    serve_assistant: ServeAssistant, http: HttpClient, userlm_info: ModelInfo
) -> None:
    server = await serve_assistant(lambda _: responds(503))
    heard: list[float] = []

    def hear(seconds: float) -> None:
        heard.append(seconds)
        server.answer = answering(answer())

    client = CompletionClient(http, server.origin, model="m")
    pool = CompletionPool(
        {"s": client}, window=64, model=userlm_info, recover=at_once, patience_seconds=60, on_wait=hear
    )
    assert await pool.model_info() == userlm_info
    assert len(heard) == 1


@pytest.mark.parametrize(("status", "error"), [(503, CompletionUnavailable), (401, CompletionRefused)])
async def test_a_start_without_any_server_fails(
    serve_assistant: ServeAssistant, http: HttpClient, userlm_info: ModelInfo, status: int, error: type[Exception]
) -> None:
    server = await serve_assistant(lambda _: responds(status))
    pool = CompletionPool(
        {"s": CompletionClient(http, server.origin, model="m")}, window=64, model=userlm_info, recover=at_once
    )
    with pytest.raises(error, match=str(status)):
        await pool.model_info()


async def test_a_server_that_hands_out_no_tokenizer_needs_one(
    serve_assistant: ServeAssistant, http: HttpClient
) -> None:
    pool = CompletionPool({"s": await scripted(serve_assistant, http)}, window=64, recover=at_once)
    with pytest.raises(EngineFailure, match=r"s does not hand out its tokenizer: set simulator\.tokenizer"):
        await pool.model_info()
