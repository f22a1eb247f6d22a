"""A server's answer to one completion, read. Knows the JSON of OpenAI's protocol with vLLM's additions, not HTTP."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.completions.contract import Completion
from monitor.completions.dialect import Dialect
from monitor.errors import CompletionRefused, CompletionUnavailable

SLACK = 0.01
"""Servers compute in few digits: so far above 0 a log-probability may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All that was generated: `ids`, `values` (log-probabilities) and `pieces` (texts) go token by token, the ending
    one included; `text` is what stands before the ending.
    """

    text: str
    ids: tuple[int, ...]
    values: tuple[float | None, ...]
    pieces: tuple[str, ...]
    stopped_by: int | str | None
    is_finished: bool
    watched: Mapping[int, float] = field(default_factory=dict)
    cached_tokens: int | None = None

    def completion(self) -> Completion:
        """What the client's user sees of it."""
        measured = [value for value in self.values if value is not None]
        is_id = isinstance(self.stopped_by, int) and self.ids[-1:] == (self.stopped_by,)
        return Completion(
            text=self.text,
            ids=self.ids[:-1] if is_id else self.ids,
            stopped_by=self.stopped_by,
            is_finished=self.is_finished,
            log_likelihood=math.fsum(measured) if measured else None,
            watched=self.watched,
            cached_tokens=self.cached_tokens,
        )


def read_answer(content: Any, dialect: Dialect, watch: Sequence[int]) -> Answer:
    """The only choice of a completion. Raises CompletionUnavailable when it is not understood."""
    try:
        choice = content["choices"][0]
        logprobs = choice.get("logprobs") or {}
        usage = content.get("usage") or {}
        ids, is_finished = tuple(choice["token_ids"]), choice["finish_reason"] == "stop"
        stopped_by = choice.get(dialect.stop_field)
        if is_finished and stopped_by is None and ids:
            stopped_by = ids[-1]  # vLLM names no reason for the model's own end token
        return Answer(
            text=choice["text"],
            ids=ids,
            values=tuple(None if value is None else _logprob(value) for value in logprobs.get("token_logprobs") or ()),
            pieces=tuple(logprobs.get("tokens") or ()),
            stopped_by=stopped_by,
            is_finished=is_finished,
            watched=_watched(logprobs, watch),
            cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as exc:
        raise CompletionUnavailable(f"the model's server answered in a form that is not understood: {exc!r}") from exc


def _watched(logprobs: Mapping[str, Any], watch: Sequence[int]) -> dict[int, float]:
    first = (logprobs.get("top_logprobs") or [{}])[0] or {}
    return {id_: _logprob(first[f"token_id:{id_}"]) for id_ in watch if f"token_id:{id_}" in first}


def read_scores(content: Any, prefix_tokens: int, continuations: Sequence[Sequence[int]]) -> list[float]:
    """The summed log-probability of each continuation. Raises CompletionRefused when the answer has none."""
    try:
        choices = sorted(content["choices"], key=lambda choice: choice["index"])
        return [
            _score(choice["prompt_logprobs"][prefix_tokens:], ids)
            for choice, ids in zip(choices, continuations, strict=True)
        ]
    except (KeyError, IndexError, TypeError, ValueError) as exc:
        raise CompletionRefused("the server gave no log-probabilities of the prompt") from exc


def _score(entries: Sequence[Mapping[str, Any]], ids: Sequence[int]) -> float:
    return math.fsum(_logprob(entry[str(id_)]["logprob"]) for entry, id_ in zip(entries, ids, strict=True))


def _logprob(value: object) -> float:
    """Raises ValueError for what is no log-probability: no number, not finite, or above 0 by more than rounding."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no log-probability")  # noqa: TRY004  the text is wrong, not the caller
    if not math.isfinite(value) or value > SLACK:
        raise ValueError(f"{value!r} is no log-probability")
    return value
