"""Scripted parties: a user, an assistant and a completions server that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor.assistants.contract import ConversationContext, Reply
from monitor.completions import Completion, CompletionRequest, ModelInfo
from monitor.intent import Intent, RequiredFact
from monitor.transcript import EndReason, Role, Sampled, Transcript, Turn
from monitor.user.contract import UserTurn

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Clock:
    """A wall clock that moves one second at every look."""

    at: datetime = T0

    def __call__(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@dataclass
class EchoAssistant:
    """Answers by a function of the words; keeps what it heard. An error instead of words is raised."""

    answer: Callable[[str], str | Exception] = "you said: {}".format
    latency_seconds: float = 0.5
    name: str = "echo"
    heard: list[str] = field(default_factory=list)
    closed: int = 0

    async def open(self, context: ConversationContext) -> EchoAssistant:
        del context
        return self

    async def send(self, text: str) -> Reply:
        self.heard.append(text)
        await asyncio.sleep(0)
        answer = self.answer(text)
        if isinstance(answer, Exception):
            raise answer
        return Reply(text=answer, latency_seconds=self.latency_seconds)

    async def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        return None


@dataclass
class LinesUser:
    """Says its lines, then ends. An error among the lines is raised. `tokens`: as if a model had sampled them."""

    lines: Sequence[str | Exception]
    tokens: int | None = None
    seeds: list[int] = field(default_factory=list)
    conversations: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def forget(self, conversation: str) -> None:
        self.forgotten.append(conversation)

    async def first_turn(self, intent: Intent, *, seed: int, conversation: str) -> UserTurn:
        return await self.next_turn(intent, (), seed=seed, conversation=conversation)

    async def next_turn(self, intent: Intent, turns: Sequence[Turn], *, seed: int, conversation: str) -> UserTurn:
        del intent
        self.conversations.append(conversation)
        self.seeds.append(seed)
        said = sum(1 for turn in turns if turn.role is Role.USER)
        line = self.lines[said] if said < len(self.lines) else None
        if isinstance(line, Exception):
            raise line
        return UserTurn(text=line, sampled=Sampled(tokens=self.tokens, p_end=0.25))


class QueuedCompletions:
    """Answers with the given completions in order; keeps the requests. The last one is given again and again."""

    is_answered = True

    def __init__(self, *completions: Completion, score: float = -1.0) -> None:
        self.requests: list[CompletionRequest] = []
        self.scored: list[str] = []
        self.continuations: list[Sequence[int]] = []
        self.forgotten: list[str] = []
        self._completions = completions
        self._score = score

    async def complete(self, request: CompletionRequest) -> Completion:
        self.requests.append(request)
        return self._completions[min(len(self.requests), len(self._completions)) - 1]

    async def score(
        self, prefix: Sequence[int], continuations: Sequence[Sequence[int]], *, conversation: str = ""
    ) -> list[float]:
        del prefix
        self.scored.append(conversation)
        self.continuations += continuations
        return [self._score] * len(continuations)

    async def model_info(self) -> ModelInfo:
        raise AssertionError("a scripted server has no model")

    async def probe(self) -> None:
        return None

    def forget(self, conversation: str) -> None:
        self.forgotten.append(conversation)


def intent(**changes: object) -> Intent:
    """An intent about a returns window, with `changes`."""
    values: dict[str, object] = {
        "id": "returns",
        "description": "You are a user who wants to know how long shoes can be returned.",
        "checklist": (RequiredFact(id="days", patterns=("30 days",), critical=True),),
        "max_turns": 3,
    }
    return Intent(**(values | changes))  # type: ignore[arg-type]


def transcript(
    *texts: str, end: EndReason = EndReason.USER_ENDED, sampled: Sampled | None = None, final: Sampled | None = None
) -> Transcript:
    """A conversation of `texts`, the user first; with `sampled`, a model made what the user says."""
    turns = tuple(
        Turn(role=Role.ASSISTANT, text=text, at=T0)
        if index % 2
        else Turn(role=Role.USER, text=text, at=T0, sampled=sampled)
        for index, text in enumerate(texts)
    )
    return Transcript(
        turns=turns, end=end, outcome=end.outcome, started_at=T0, finished_at=T0 + timedelta(seconds=9), final=final
    )
