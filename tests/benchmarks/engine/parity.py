"""Whether the engine's greedy output is that of `generate`, with keys and values kept and all conversations at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import LlamaForCausalLM

from tests.benchmarks.engine import loop
from tests.benchmarks.engine.figures import Conversation
from tests.benchmarks.engine.ours import Ours
from tests.benchmarks.engine.workload import workload


@dataclass(frozen=True, slots=True)
class Parity:
    """How many of the tokens agree; `first_difference` is (conversation, turn, token), None when all do."""

    tokens: int
    equal_tokens: int
    first_difference: tuple[int, int, int] | None

    @property
    def holds(self) -> bool:
        """Whether every token is the same."""
        return self.first_difference is None and self.equal_tokens == self.tokens


def measure(ours: Ours, model: LlamaForCausalLM, conversations: int, turns: int) -> Parity:
    """Play the same conversations on both sides, each with its own output as history."""
    work = workload(conversations, turns, salt="parity")
    return compare(ours.run(work, temperature=0.0).conversations, loop.run(model, work, greedy=True).conversations)


def compare(left: Sequence[Conversation], right: Sequence[Conversation]) -> Parity:
    """Token for token. Raises ValueError when the shapes differ."""
    pairs = [
        ((number, turn, place), one == other)
        for number, (mine, reference) in enumerate(zip(left, right, strict=True))
        for turn, (ours, theirs) in enumerate(zip(mine, reference, strict=True))
        for place, (one, other) in enumerate(zip(ours.ids, theirs.ids, strict=True))
    ]
    differing = [where for where, is_equal in pairs if not is_equal]
    return Parity(len(pairs), len(pairs) - len(differing), differing[0] if differing else None)
