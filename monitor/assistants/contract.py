"""The seam to the assistant under test: what a conversation needs of it, and how it may fail.

Knows nothing of protocols, of simulated users and of how a reply is scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from monitor.transcript import ToolCall, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationContext:
    """What an assistant is told about a conversation. `deadline` is on the event loop's clock, None for none."""

    conversation_id: str
    check_id: str
    suite: str
    intent_id: str
    deadline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, as received.

    `latency_seconds` runs from the request that was answered to the end of its answer, `first_token_seconds` to the
    first piece of text (None unless streamed). Time that we made ourselves wait is in neither.
    """

    text: str
    latency_seconds: float
    first_token_seconds: float | None = None
    usage: Usage | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None


class AssistantSession(Protocol):
    """One conversation with the assistant."""

    async def send(self, text: str) -> Reply:
        """Say something as the user and wait for the answer.

        Raises AssistantFailure, AssistantTimeout or AssistantRateLimited for what the assistant did, Stopped for what
        we decided. After any of them the session is over: only `close` may follow.
        """

    async def close(self) -> None:
        """Let go of what the conversation holds; safe to call twice."""


class Assistant(Protocol):
    """The system under test. Any number of conversations may be open at once."""

    @property
    def name(self) -> str:
        """The name given to it in the configuration."""

    async def open(self, context: ConversationContext) -> AssistantSession:
        """Begin a conversation. Raises what `AssistantSession.send` raises."""

    async def aclose(self) -> None:
        """Let go of connections; nothing may be opened or sent afterwards."""
