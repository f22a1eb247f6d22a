"""The conversations that every side plays: token ids, forced lengths and the assistant's latencies, all from seeds.

Knows nothing of models or servers.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

OPENING_TOKENS = 80
REPLY_TOKENS = 40
TURN_TOKENS = (16, 32)
TEMPERATURE, TOP_P = 1.0, 0.8
TOKEN_IDS = range(1000, 40000)
"""Ordinary tokens of SmolLM2's vocabulary: no control token among them."""


@dataclass(frozen=True, slots=True)
class Workload:
    """`lengths[conversation][turn]` are the tokens that the user model must generate; `latencies`, of the same shape,
    the seconds that the assistant then takes.

    Every `rounds` conversations begin alike, as those of one intent do. Workloads with different salts have no token
    sequence in common, so nothing kept from one serves another.
    """

    lengths: tuple[tuple[int, ...], ...]
    latencies: tuple[tuple[float, ...], ...]
    salt: str
    rounds: int = 1

    @property
    def tokens(self) -> int:
        """Tokens to generate in all."""
        return sum(map(sum, self.lengths))

    @property
    def conversations(self) -> range:
        """The numbers of the conversations."""
        return range(len(self.lengths))

    def opening(self, number: int) -> list[int]:
        """Token ids of a conversation's beginning."""
        return self._ids(f"opening {number // self.rounds}", OPENING_TOKENS)

    def reply(self, number: int, turn: int) -> list[int]:
        """Token ids that stand for the assistant's reply to a turn."""
        return self._ids(f"reply {number} {turn}", REPLY_TOKENS)

    def seed(self, number: int, turn: int) -> int:
        """Seed for the sampling of a turn, where the side takes one."""
        return random.Random(f"{self.salt} seed {number} {turn}").getrandbits(31)

    def _ids(self, what: str, count: int) -> list[int]:
        dice = random.Random(f"{self.salt} {what}")
        return [dice.choice(TOKEN_IDS) for _ in range(count)]


def workload(
    conversations: int,
    turns: int,
    *,
    salt: str,
    latency_seconds: tuple[float, float] = (0.0, 0.0),
    rounds: int = 1,
) -> Workload:
    """Conversations with lengths and latencies drawn uniformly. The lengths are the same for every salt."""
    dice, clock = random.Random(7), random.Random(11)
    shape = [range(turns)] * conversations
    return Workload(
        lengths=tuple(tuple(dice.randint(*TURN_TOKENS) for _ in row) for row in shape),
        latencies=tuple(tuple(clock.uniform(*latency_seconds) for _ in row) for row in shape),
        salt=salt,
        rounds=rounds,
    )
