"""One request on its way through the engine, and what comes out of it. Knows nothing of HTTP or of the model."""

from __future__ import annotations

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


Delivery = Callable[["Generation", Piece | Refusal], None]


@dataclass(slots=True, eq=False)
class Generation:
    """A request in the engine. Owned by the engine's thread once submitted; others only set `cancelled`.

    `deadline` is on the clock of `time.monotonic`. `deliver` is called from the engine's thread, with pieces and at
    last with a piece that has an ending or with a Refusal; after a cancellation with nothing.
    """

    prompt: tuple[int, ...]
    sampling: Sampling
    text: RunningText
    deliver: Delivery
    deadline: float
    stream: bool = False
    cancelled: bool = False
    slot: Slot | None = None
    cached_tokens: int = 0
    generated: list[int] = field(default_factory=list)
    _undelivered: list[Draw] = field(default_factory=list)

    @property
    def pending(self) -> tuple[int, ...]:
        """The tokens that are known but not computed yet: the rest of the prompt, or the token drawn last."""
        assert self.slot is not None
        computed = len(self.slot.ids)
        if computed < len(self.prompt):
            return self.prompt[computed:]
        return tuple(self.generated[computed - len(self.prompt) :])

    @property
    def is_scoring(self) -> bool:
        """Whether tokens of the prompt need scores at the next step."""
        return self.sampling.prompt_logprobs is not None and not self.generated

    def take(self, drawn: Draw) -> Piece | None:
        """Take the next token; the piece that is to be delivered now, if any."""
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
        if self.sampling.prompt_logprobs is None or self.slot is None:
            return None
        return (None, *self.slot.scores[1 : len(self.prompt)])
