"""One conversation: a simulated user and the assistant take turns until an EndReason.

Every failure of either side becomes an end of the transcript with whose fault it was; only the cancellation of the
task itself passes through.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from monitor.assistants.contract import Assistant, AssistantSession, ConversationContext, Reply
from monitor.errors import AssistantFailure, CompletionFailure, EngineFailure, SimulatorInvalid, Stopped
from monitor.intent import Intent
from monitor.seeds import derive
from monitor.transcript import EndReason, Role, Sampled, Transcript, Turn
from monitor.user.contract import UserSimulator, UserTurn


@dataclass(slots=True)
class _Recording:
    """What has been said so far."""

    now: Callable[[], datetime]
    on_turn: Callable[[Turn], None]
    started_at: datetime
    turns: list[Turn] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)
    final: Sampled | None = None

    def hear_user(self, said: UserTurn, text: str, latency_seconds: float) -> None:
        self._hear(
            Turn(role=Role.USER, text=text, at=self.now(), latency_seconds=latency_seconds, sampled=said.sampled)
        )
        self.cuts += [f"before turn {len(self.turns)}: {cut}" for cut in said.cuts]

    def hear_assistant(self, reply: Reply) -> None:
        self._hear(
            Turn(
                role=Role.ASSISTANT,
                text=reply.text,
                at=self.now(),
                latency_seconds=reply.latency_seconds,
                first_token_seconds=reply.first_token_seconds,
                usage=reply.usage,
                tool_calls=reply.tool_calls,
                finish_reason=reply.finish_reason,
            )
        )

    def _hear(self, turn: Turn) -> None:
        self.turns.append(turn)
        self.on_turn(turn)

    def close(self, end: EndReason, detail: str = "") -> Transcript:
        return Transcript(
            turns=tuple(self.turns),
            end=end,
            outcome=end.outcome,
            detail=detail,
            started_at=self.started_at,
            finished_at=self.now(),
            final=self.final,
            cuts=tuple(self.cuts),
        )


async def simulate(
    intent: Intent,
    user: UserSimulator,
    assistant: Assistant,
    context: ConversationContext,
    *,
    seed: int,
    now: Callable[[], datetime],
    on_turn: Callable[[Turn], None] = lambda _: None,
) -> Transcript:
    """Play `intent` once. `context.deadline` (loop time) bounds the whole; `on_turn` hears every turn as it is said."""
    recording = _Recording(now=now, on_turn=on_turn, started_at=now())
    try:
        session = await assistant.open(context)
        try:
            end = await _take_turns(intent, user, session, recording, context, seed=seed)
        finally:
            user.forget(context.conversation_id)
            await session.close()
    except AssistantFailure as exc:
        return recording.close(EndReason(exc.reason), exc.detail)
    except Stopped as exc:
        return recording.close(EndReason(exc.reason), exc.detail)
    except SimulatorInvalid as exc:
        return recording.close(EndReason.GUARDRAILS, str(exc))
    except (CompletionFailure, EngineFailure) as exc:
        return recording.close(EndReason.ENGINE, str(exc))
    except TimeoutError:
        return recording.close(_end_of_time(recording), "the time was up while the simulated user was thinking")
    return recording.close(end)


def _end_of_time(recording: _Recording) -> EndReason:
    """Whose time it was that ran out between two requests: that of the side that took more of it."""
    passed = (recording.now() - recording.started_at).total_seconds()
    waited = sum(turn.latency_seconds or 0.0 for turn in recording.turns if turn.role is Role.ASSISTANT)
    return EndReason.CONVERSATION_DEADLINE if waited > passed / 2 else EndReason.CHECK_DEADLINE


async def _take_turns(
    intent: Intent,
    user: UserSimulator,
    session: AssistantSession,
    recording: _Recording,
    context: ConversationContext,
    *,
    seed: int,
) -> EndReason:
    deadline = context.deadline
    clock = asyncio.get_running_loop().time
    for number in range(intent.max_turns + 1):
        if number == intent.max_turns:
            return EndReason.MAX_TURNS
        asked_at = clock()
        async with asyncio.timeout_at(deadline):
            said = await _user_turn(intent, user, recording.turns, derive(seed, number), context.conversation_id)
        if deadline is not None and clock() >= deadline:
            raise TimeoutError
        if said.text is None:
            recording.final = said.sampled
            return EndReason.USER_ENDED
        recording.hear_user(said, said.text, clock() - asked_at)
        recording.hear_assistant(await session.send(said.text))
    raise AssertionError("unreachable")


async def _user_turn(intent: Intent, user: UserSimulator, turns: list[Turn], seed: int, conversation: str) -> UserTurn:
    if not turns:
        return await user.first_turn(intent, seed=seed, conversation=conversation)
    return await user.next_turn(intent, tuple(turns), seed=seed, conversation=conversation)
