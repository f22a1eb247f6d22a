"""Several servers of one model as one: conversations stick to a server and move when it is away.

The first request of a conversation goes to the server that has the fewest, later ones to the same, which has computed
their beginning. A request that a server does not answer goes to another one at once, unchanged (same seed); when none
answers there is one more round after a wait. Nothing is lost, because a request holds the whole conversation.
Knows nothing of what is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from monitor.completions.client import CompletionClient
from monitor.completions.contract import Completion, CompletionRequest, ModelInfo
from monitor.completions.homes import Homes
from monitor.completions.identity import Identity
from monitor.errors import CompletionFailure, CompletionRefused, CompletionUnavailable, EngineFailure, MonitorError

log = logging.getLogger(__name__)

CONVERSATIONS = 10_000
PAUSE_SECONDS = 1.0
PROBE_SECONDS = 30.0
AWAY_PROBE_SECONDS = 5.0
LOOK_SECONDS = 0.5
"""Of many who ask for a server at once, one looks; what it saw is true for so long."""
T = TypeVar("T")


async def pause() -> None:
    """What a failure is given to pass."""
    await asyncio.sleep(PAUSE_SECONDS)


@dataclass(slots=True, eq=False)
class _Server:
    name: str
    client: CompletionClient
    is_up: bool = False
    fault: MonitorError | None = None
    looked_at: float = -math.inf
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    fell: asyncio.Event = field(default_factory=asyncio.Event)


class CompletionPool:
    """A `Completions` over the servers in `clients`, by the names that they have in logs and errors.

    `window`: tokens that every server must take; `model`: what they serve, where that is known without them (a server
    that does not hand out its tokenizer needs it). When none answers, `recover` is awaited, then until one answers,
    at most `patience_seconds`, of which `on_wait` hears.
    """

    def __init__(
        self,
        clients: Mapping[str, CompletionClient],
        *,
        window: int,
        model: ModelInfo | None = None,
        recover: Callable[[], Awaitable[None]] = pause,
        patience_seconds: float = 0.0,
        on_wait: Callable[[float], None] = lambda _: None,
        probe_seconds: float = PROBE_SECONDS,
        away_probe_seconds: float = AWAY_PROBE_SECONDS,
    ) -> None:
        self._servers = [_Server(name, client) for name, client in clients.items()]
        self._homes: Homes[_Server] = Homes(CONVERSATIONS)
        self._identity = Identity(window, model)
        self._recover = recover
        self._patience_seconds = patience_seconds
        self._on_wait = on_wait
        self._probe_seconds = probe_seconds
        self._away_probe_seconds = away_probe_seconds

    @property
    def is_answered(self) -> bool:
        """Whether at least one server can be used."""
        return any(server.is_up for server in self._servers)

    async def model_info(self) -> ModelInfo:
        """The model, once a server answers; those that are away are looked at when they come.

        Raises EngineFailure that names a server of another model, CompletionRefused for one that lets nobody in, and
        CompletionUnavailable when none answers in time.
        """
        for server in self._servers:  # in order: those after the first are held against it
            await self._look(server)
        if not self.is_answered and not self._hopeless_faults():
            await self._wait()
        for fault in self._hopeless_faults():
            raise fault
        if not self.is_answered or self._identity.model is None:
            raise self._none_answers()
        return self._identity.model

    async def complete(self, request: CompletionRequest) -> Completion:
        """Sample one continuation. Raises CompletionUnavailable or CompletionRefused."""
        return await self._ask(request.conversation, lambda client: client.complete(request))

    async def score(
        self, prefix: Sequence[int], continuations: Sequence[Sequence[int]], *, conversation: str = ""
    ) -> list[float]:
        """The summed natural log-probability of each continuation after `prefix`. Raises as `complete` does."""
        return await self._ask(
            conversation, lambda client: client.score(prefix, continuations, conversation=conversation)
        )

    async def probe(self) -> None:
        """Look at every server, however lately it was looked at."""
        for server in self._servers:
            server.looked_at = -math.inf
        await self._look_at(self._servers)

    def forget(self, conversation: str) -> None:
        """The conversation is over: its server has room for another."""
        self._homes.forget(conversation)

    async def watch(self) -> None:
        """Look at every server again and again, more often at one that is away, until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for server in self._servers:
                group.create_task(self._watch(server))

    async def _watch(self, server: _Server) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._probe_seconds if server.is_up else self._away_probe_seconds):
                    await server.fell.wait()
            server.fell.clear()
            try:
                await self._look(server)
            except Exception:
                # Without the probes nobody would know of a server between two checks.
                log.exception("event=probe_broke server=%s", server.name)

    async def _ask(self, conversation: str, ask: Callable[[CompletionClient], Awaitable[T]]) -> T:
        try:
            return await self._ask_each(conversation, ask)
        except CompletionUnavailable:
            await self._wait()
        return await self._ask_each(conversation, ask)

    async def _ask_each(self, conversation: str, ask: Callable[[CompletionClient], Awaitable[T]]) -> T:
        """The first answer, the conversation's own server asked first."""
        tried: list[_Server] = []
        failure: CompletionFailure | None = None
        while (server := self._choose(conversation, tried)) is not None:
            try:
                return await ask(server.client)
            except CompletionFailure as exc:
                if exc.is_away:
                    self._lose(server, exc)
                elif isinstance(exc, CompletionRefused):
                    raise
                tried.append(server)
                failure = exc
        raise failure or self._none_answers()

    def _choose(self, conversation: str, tried: Sequence[_Server]) -> _Server | None:
        """The conversation's server if it can be asked, else the one with the fewest conversations, if any can."""
        home = self._homes.of(conversation)
        if home is not None and home.is_up and home not in tried:
            return home
        left = [server for server in self._servers if server.is_up and server not in tried]
        if not left:
            return None
        chosen = min(left, key=self._homes.count)
        if conversation and (home is None or not home.is_up):
            self._homes.settle(conversation, chosen)
            if home is not None:
                log.info(
                    "event=conversation_moved conversation_id=%s from=%s to=%s", conversation, home.name, chosen.name
                )
        return chosen

    async def _wait(self) -> None:
        """Until a server answers, or patience is over."""
        await self._recover()
        began = time.monotonic()
        while True:
            await self._look_at(server for server in self._servers if not server.is_up)
            waited_seconds = time.monotonic() - began
            if self.is_answered or self._is_hopeless() or waited_seconds >= self._patience_seconds:
                return
            self._on_wait(waited_seconds)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _look_at(self, servers: Iterable[_Server]) -> None:
        await asyncio.gather(*(self._look(server) for server in servers))

    async def _look(self, server: _Server) -> None:
        """Ask whether it is there and, when it was not, whether it serves what the others do."""
        async with server.looking:
            if time.monotonic() - server.looked_at < LOOK_SECONDS:
                return
            try:
                card = await server.client.identify()
                if not server.is_up:
                    await self._identity.check(server.name, server.client, card)
            except (CompletionFailure, EngineFailure) as exc:
                self._lose(server, exc)
            else:
                self._find(server)
            server.looked_at = time.monotonic()

    def _lose(self, server: _Server, fault: MonitorError) -> None:
        if server.is_up or server.fault is None:
            log.warning("event=server_down server=%s error=%s", server.name, fault)
        if server.is_up:
            server.fell.set()
        server.is_up, server.fault, server.looked_at = False, fault, -math.inf

    def _find(self, server: _Server) -> None:
        if not server.is_up:
            log.info("event=server_up server=%s", server.name)
        server.is_up, server.fault = True, None

    def _hopeless_faults(self) -> list[MonitorError]:
        """Those that waiting does not mend."""
        faults = (server.fault for server in self._servers)
        return [fault for fault in faults if isinstance(fault, EngineFailure | CompletionRefused)]

    def _is_hopeless(self) -> bool:
        return len(self._hopeless_faults()) == len(self._servers)

    def _none_answers(self) -> CompletionUnavailable:
        faults = "; ".join(f"{server.name}: {server.fault}" for server in self._servers)
        return CompletionUnavailable(f"no server of the user model answers: {faults}", is_away=True)
