"""A request on its way through the engine, and what comes out of it. Knows nothing of HTTP or of the model.

There are two kinds: a `Generation` continues its prompt token by token, a `Scoring` asks how probable several given
continuations of one prefix are.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from monitor.engine.drawing import Draw
from monitor.engine.refusal import Refusal
from monitor.engine.sampling import Sampling
from monitor.engine.slots import Slot, TokenScore
from monitor.engine.vocabulary import RunningText


@dataclass(frozen=True, slots=True)
class Ending:
    """How a generation ended: `reason` stop or length; `stop` is the token id or the string that ended it."""

    reason: str
    stop: int | str | None
    cached_tokens: int
    prompt_scores: tuple[TokenScore | None, ...] | None


@dataclass(frozen=True, slots=True)
class Piece:
    """Tokens generated since the last piece, with the text that became certain; the last one has the ending."""

    text: str
    draws: tuple[Draw, ...]
    ending: Ending | None


@dataclass(frozen=True, slots=True)
class Branch:
    """What was found of one continuation: a score for each of its prompt's tokens, and the token that would follow."""

    scores: tuple[TokenScore | None, ...]
    draw: Draw


@dataclass(frozen=True, slots=True)
class Scored:
    """All continuations, in the order of the request."""

    branches: tuple[Branch, ...]
    cached_tokens: int


Result = Piece | Scored | Refusal
Delivery = Callable[["Job", Result], None]


@dataclass(slots=True, eq=False, kw_only=True)
class Job:
    """A request in the engine. Owned by the engine's thread once submitted; others only set `cancelled`.

    `deadline` and `queued_at` are on the clock of `time.monotonic`. `deliver` is called from the engine's thread, at
    last with a Refusal, a Scored, or a Piece that has an ending; after a cancellation not at all.
    """

    prompt: tuple[int, ...]
    sampling: Sampling
    deliver: Delivery
    deadline: float
    queued_at: float = field(default_factory=time.monotonic)
    cancelled: bool = False
    slot: Slot | None = None
    cached_tokens: int = 0
    generated: list[int] = field(default_factory=list)

    @property
    def is_decoding(self) -> bool:
        """Whether the prompt is behind it, so that every step takes one token."""
        return bool(self.generated)

    @property
    def place(self) -> Slot:
        """Its slot, which it has from its admission on."""
        assert self.slot is not None
        return self.slot

    @property
    def pending(self) -> tuple[int, ...]:
        """The tokens that are known but not computed yet."""
        raise NotImplementedError


@dataclass(slots=True, eq=False, kw_only=True)
class Generation(Job):
    """Continues its prompt."""

    text: RunningText
    stream: bool = False
    _undelivered: list[Draw] = field(default_factory=list)

    @property
    def pending(self) -> tuple[int, ...]:
        """The rest of the prompt, or the token drawn last."""
        computed = len(self.place.ids)
        if computed < len(self.prompt):
            return self.prompt[computed:]
        return tuple(self.generated[computed - len(self.prompt) :])

    def take(self, drawn: Draw | None) -> Piece | Refusal | None:
        """Take the next token (None: none is possible); what is to be delivered now, if anything."""
        if drawn is None:
            return Refusal("no token is possible under these masks", code="nothing_possible")
        self.generated.append(drawn.token_id)
        self._undelivered.append(drawn)
        ending = self._ending(drawn.token_id)
        if ending is None and not self.stream:
            return None
        piece = Piece(self.text.take(), tuple(self._undelivered), ending)
        self._undelivered.clear()
        return piece

    def _ending(self, token_id: int) -> Ending | None:
        enough = len(self.generated) >= self.sampling.min_tokens
        reason, stop = "stop", None
        if token_id in self.sampling.end_ids and enough:
            found: int | str | None = token_id
        else:
            self.text.push(token_id)
            found = stop = self.text.stop_found() if enough else None
            if found is None and len(self.generated) == self.sampling.max_tokens:
                reason, found = "length", ""
        if found is None:
            return None
        self.text.finish(stopped_by_text=stop is not None)
        return Ending(reason, None if reason == "length" else found, self.cached_tokens, self._prompt_scores())

    def _prompt_scores(self) -> tuple[TokenScore | None, ...] | None:
        if self.sampling.prompt_logprobs is None:
            return None
        return known_scores(self.place, self.sampling.scored_from, len(self.prompt))


@dataclass(slots=True, eq=False, kw_only=True)
class Scoring(Job):
    """Scores several continuations of one prefix. `prompt` is what all share and the first token of a branch.

    Every branch begins with the same token as the prompt ends with, or with its own first one where nothing is shared:
    its logits say how probable the branch's second token is.
    """

    branches: tuple[tuple[int, ...], ...]
    found: list[Branch] = field(default_factory=list)

    @property
    def prefix(self) -> int:
        """How many tokens all branches stand behind."""
        return max(len(self.prompt) - 1, 0)

    @property
    def pending(self) -> tuple[int, ...]:
        """The rest of the prefix."""
        return self.prompt[len(self.place.ids) : self.prefix]

    def take(self, scores: list[TokenScore], drawn: Draw | None) -> Scored | Refusal | None:
        """Take what was found of the next branch; everything once it was the last."""
        if drawn is None:
            return Refusal("no token is possible under these masks", code="nothing_possible")
        before = known_scores(self.place, self.sampling.scored_from, self.prefix + 1)
        behind = [scored if at >= self.sampling.scored_from else None for at, scored in enumerate(scores, len(before))]
        self.found.append(Branch((*before, *behind), drawn))
        return Scored(tuple(self.found), self.cached_tokens) if len(self.found) == len(self.branches) else None


def branches_of(prompts: list[list[int]]) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """What several prompts share, as the `prompt` of a `Scoring`, and its `branches`."""
    shortest, longest = min(prompts), max(prompts)
    shared = next((at for at, token in enumerate(shortest) if token != longest[at]), len(shortest))
    prefix = max(shared - 1, 0)
    return tuple(shortest[:shared]), tuple(tuple(prompt[prefix:]) for prompt in prompts)


def known_scores(slot: Slot, first: int, length: int) -> tuple[TokenScore | None, ...]:
    """The scores of the slot's tokens up to `length`, None before `first` and for the first token of all."""
    first = max(first, 1)
    known = slot.scores[first:length]
    return (*[None] * min(first, length), *known, *[None] * (length - first - len(known)))
