"""A user with fixed turns: no model at all. The same suite played by it tells a change of simulator from one of the
assistant.
"""

from __future__ import annotations

from collections.abc import Sequence

from monitor.errors import SimulatorInvalid
from monitor.intent import Intent
from monitor.transcript import Role, Sampled, Turn
from monitor.user.contract import UserTurn

FIXED = Sampled(p_end_reason="a fixed script")


class ScriptedUser:
    """A `UserSimulator` that says the intent's opening and script in order, then ends."""

    async def first_turn(self, intent: Intent, *, seed: int, conversation: str) -> UserTurn:
        """The opening, or the script's first line."""
        return await self.next_turn(intent, (), seed=seed, conversation=conversation)

    async def next_turn(self, intent: Intent, turns: Sequence[Turn], *, seed: int, conversation: str) -> UserTurn:
        """The line after those already said, or the end. Raises SimulatorInvalid when there is no line at all."""
        del seed, conversation  # nothing here is drawn
        lines = ((intent.opening,) if intent.opening else ()) + intent.script
        if not lines:
            raise SimulatorInvalid(("no_script",))
        said = sum(1 for turn in turns if turn.role is Role.USER)
        return UserTurn(text=lines[said] if said < len(lines) else None, sampled=FIXED)

    def forget(self, conversation: str) -> None:
        """Nothing is kept here."""
