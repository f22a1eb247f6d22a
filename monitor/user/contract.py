"""What every kind of simulated user can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.intent import Intent
from monitor.transcript import Sampled, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTurn:
    """What the user says next; `text` None: the user ends the conversation. `cuts`: see `prompt.Rendered`."""

    text: str | None
    sampled: Sampled
    cuts: tuple[str, ...] = ()


class UserSimulator(Protocol):
    """Plays users. Everything it knows comes with the call, so the same call gives the same turn.

    `conversation` names the conversation, for whatever is kept to be quicker with its next turn.
    """

    async def first_turn(self, intent: Intent, *, seed: int, conversation: str) -> UserTurn:
        """The first words. Raises SimulatorInvalid, CompletionFailure or EngineFailure."""
        ...

    async def next_turn(self, intent: Intent, turns: Sequence[Turn], *, seed: int, conversation: str) -> UserTurn:
        """The next words after `turns` (the last one the assistant's), or the end. Raises as `first_turn` does."""
        ...

    def forget(self, conversation: str) -> None:
        """The conversation is over: what is kept for it may go."""
        ...
