"""What can be asked of a language model, and what comes back. Knows nothing of HTTP or of any server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One continuation of `prompt` (token ids). `watch`: ids whose log-probability at the first place is wanted.

    `conversation` names what the prompt is a part of: requests of one conversation are sent to one server as long as
    it answers, because it has computed their common beginning already. Empty: of none.
    """

    prompt: Sequence[int]
    max_tokens: int
    min_tokens: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    stop_ids: tuple[int, ...] = ()
    banned_ids: tuple[int, ...] = ()
    banned_first_ids: tuple[int, ...] = ()
    bad_words: tuple[str, ...] = ()
    watch: tuple[int, ...] = ()
    conversation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the server sampled: text and ids without the stop, and natural log-probabilities per token.

    `stopped_by` is the id or the text that ended it, None when it ran into `max_tokens`; `watched` maps the watched
    ids to their log-probability as the first token, before any mask (absent: the server gave none).
    """

    text: str
    ids: tuple[int, ...]
    stopped_by: int | str | None
    is_finished: bool
    log_likelihood: float | None
    watched: Mapping[int, float] = field(default_factory=dict)
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What the server says of its model: name, `tokenizer.json`, chat template, ids that end a text, window."""

    name: str
    tokenizer: Mapping[str, Any]
    chat_template: str | None
    end_ids: tuple[int, ...]
    max_context: int


class Completions(Protocol):
    """A language model that continues token ids."""

    @property
    def is_answered(self) -> bool | None:
        """Whether the model can be asked, by the newest that is known; None before anything is."""
        ...

    async def complete(self, request: CompletionRequest) -> Completion:
        """Sample one continuation. Raises CompletionUnavailable or CompletionRefused."""
        ...

    async def score(
        self, prefix: Sequence[int], continuations: Sequence[Sequence[int]], *, conversation: str = ""
    ) -> list[float]:
        """The summed natural log-probability of each continuation after `prefix`. Raises as `complete` does."""
        ...

    async def model_info(self) -> ModelInfo:
        """The model. Raises as `complete` does."""
        ...

    async def probe(self) -> None:
        """Ask whether the model is there at all; `is_answered` says so."""
        ...

    def forget(self, conversation: str) -> None:
        """The conversation is over: what is kept for it may go."""
        ...
