"""One step: which tokens of which generations are computed together, and what becomes of the logits.

Knows nothing of threads, queues or HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from monitor.engine.attention import Segment, segment
from monitor.engine.drawing import Draw, Row, draw, score
from monitor.engine.generation import Generation
from monitor.engine.model import Model

SCORED_CHUNK_TOKENS = 256
"""Prompt tokens scored a step: each takes a row of logits as wide as the vocabulary."""


@dataclass(frozen=True, slots=True)
class Share:
    """A generation's part of a step. `wanted` are the offsets in its tokens whose logits are needed."""

    generation: Generation
    tokens: tuple[int, ...]
    wanted: tuple[int, ...]

    @property
    def completes(self) -> bool:
        """Whether the next token can be drawn after this step."""
        return len(self.tokens) == len(self.generation.pending)


def plan(running: Sequence[Generation], budget: int) -> list[Share]:
    """The shares of a step of at most `budget` tokens: decoding rows first, then prompts in their order."""
    shares: list[Share] = []
    for generation in sorted(running, key=lambda one: not one.generated):
        room = budget - sum(len(share.tokens) for share in shares)
        if generation.is_scoring:
            room = min(room, SCORED_CHUNK_TOKENS)
        if room > 0:
            tokens = generation.pending[:room]
            wanted = range(len(tokens)) if generation.is_scoring else [len(tokens) - 1]
            shares.append(Share(generation, tokens, tuple(wanted)))
    return shares


def compute(model: Model, shares: Sequence[Share]) -> Tensor:
    """The wanted logits of all shares, one after the other. Repeating it after a failure changes nothing."""
    segments: list[Segment] = []
    offset = 0
    wanted: list[int] = []
    for share in shares:
        slot = share.generation.slot
        assert slot is not None
        start, length = len(slot.ids), len(share.tokens)
        slot.key_values.reserve(start + length)
        segments.append(segment(slot.key_values, start=start, length=length, offset=offset))
        wanted += [offset + place for place in share.wanted]
        offset += length
    return model.forward([token for share in shares for token in share.tokens], segments, wanted)


def settle(shares: Sequence[Share], logits: Tensor) -> list[tuple[Generation, Draw | None]]:
    """Note what was computed; the tokens drawn for the generations whose turn it is (None: none was possible)."""
    ready: list[tuple[Generation, int]] = []
    first = 0
    for share in shares:
        generation, slot = share.generation, share.generation.slot
        assert slot is not None
        completes, place = share.completes, len(slot.ids)
        slot.extend(share.tokens)
        if generation.is_scoring:
            _score(generation, place, logits[first : first + len(share.wanted)])
        first += len(share.wanted)
        if completes:
            ready.append((generation, first - 1))
    if not ready:
        return []
    rows = [Row(generation.sampling, generation.generated) for generation, _ in ready]
    draws = draw(logits[[at for _, at in ready]], rows)
    return [(generation, drawn) for (generation, _), drawn in zip(ready, draws, strict=True)]


def _score(generation: Generation, place: int, logits: Tensor) -> None:
    """Keep the scores of the prompt tokens that follow the ones computed at `place` and after."""
    slot = generation.slot
    assert slot is not None
    targets = generation.prompt[place + 1 : place + 1 + len(logits)]
    if targets:
        found = score(logits[: len(targets)], targets, generation.sampling.prompt_logprobs or 0)
        slot.note_scores(place + 1, found)
