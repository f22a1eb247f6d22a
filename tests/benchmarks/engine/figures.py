"""What a run of a workload gave, and the arithmetic from runs to figures. Knows nothing of how a run is made."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the user model. `cached_tokens` of the prompt were not forwarded; None: the side does not say."""

    prompt_tokens: int
    ids: tuple[int, ...]
    cached_tokens: int | None = None


Conversation = Sequence[Turn]


@dataclass(frozen=True, slots=True)
class Run:
    """A whole workload on one side: wall and CPU seconds (user and system time of all its threads and processes)."""

    seconds: float
    cpu_seconds: float
    conversations: Sequence[Conversation] = field(repr=False)

    @property
    def tokens(self) -> int:
        """Tokens generated."""
        return sum(len(turn.ids) for conversation in self.conversations for turn in conversation)

    @property
    def tokens_per_second(self) -> float:
        """Tokens generated in a second of wall time."""
        return self.tokens / self.seconds


def median_ratio(pairs: Iterable[tuple[float, float]]) -> float:
    """The median of left over right, each pair measured side by side."""
    return statistics.median(left / right for left, right in pairs)


def history_tokens(conversations: Iterable[Conversation]) -> int:
    """Tokens of all prompts from the second turn on that were there in the turn before, as prompt or as answer."""
    return sum(
        before.prompt_tokens + len(before.ids) for conversation in conversations for before in list(conversation)[:-1]
    )


def new_tokens(conversations: Iterable[Conversation]) -> int:
    """Tokens of all prompts that were not there in the turn before: openings and replies of the assistant."""
    conversations = list(conversations)
    prompts = sum(turn.prompt_tokens for conversation in conversations for turn in conversation)
    return prompts - history_tokens(conversations)


def cached_fraction(conversations: Sequence[Conversation]) -> float | None:
    """Share of the history that was not forwarded again, as each answer's `usage` says; None where one says nothing.

    A turn's last token is forwarded for the first time with the next prompt, but counts as history like the others.
    """
    said = [turn.cached_tokens for conversation in conversations for turn in list(conversation)[1:]]
    known = [count for count in said if count is not None]
    history = history_tokens(conversations)
    return sum(known) / history if history and len(known) == len(said) else None


def cached_fraction_of_forwarded(conversations: Sequence[Conversation], prefilled_tokens: float) -> float | None:
    """The same from the tokens of prompts that the engine counted as forwarded in the run, whatever `usage` says."""
    history = history_tokens(conversations)
    return 1 - (prefilled_tokens - new_tokens(conversations)) / history if history else None
