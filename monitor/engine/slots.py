"""Which conversation's keys and values are kept, and how much of a new prompt is in them already.

Knows nothing of how keys and values are computed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.engine.keyvalues import KeyValues


@dataclass(frozen=True, slots=True)
class TokenScore:
    """How probable the model found one token of a prompt: its log-probability, its rank, the most probable ones."""

    logprob: float
    rank: int
    top: tuple[tuple[int, float], ...]


@dataclass(slots=True, eq=False)
class Slot:
    """One conversation's place in the pool: the tokens that are there, and the scores of those that were asked for.

    `scores[i]` belongs to `ids[i]`, but comes out of the step that computes the token before: it may be there one
    token earlier than its token is. `prompt_length` is that of the last prompt; what stands behind it was generated.
    """

    index: int
    prompt_length: int = 0
    ids: list[int] = field(default_factory=list)
    scores: list[TokenScore | None] = field(default_factory=list)
    busy: bool = False
    released: int = 0

    def extend(self, ids: Sequence[int]) -> None:
        """The keys and values of `ids` were computed."""
        self.ids += ids

    def note_scores(self, place: int, scores: Sequence[TokenScore]) -> None:
        """Keep the scores of the tokens from `place` on."""
        self.scores += [None] * (place - len(self.scores))
        self.scores[place:] = scores

    def is_gone_on_by(self, prompt: Sequence[int], shared: int) -> bool:
        """Whether a prompt that shares so many tokens is this conversation's next one, and not another's.

        What was generated may read back as other tokens; the last prompt itself must be in it. The same prompt once
        more may be another conversation that begins alike.
        """
        return shared == len(self.ids) or self.prompt_length <= shared < len(prompt)

    def cut(self, length: int, scores: int) -> None:
        """Forget everything after the first `length` tokens and the first `scores` scores."""
        del self.ids[length:], self.scores[scores:]


class Slots:
    """At most `limit` conversations; the least recently used idle one makes room."""

    def __init__(self, limit: int, key_values: KeyValues) -> None:
        self._limit = limit
        self._key_values = key_values
        self._clock = itertools.count(1)
        self._slots: list[Slot] = []

    @property
    def busy(self) -> int:
        """How many slots are computing now."""
        return sum(slot.busy for slot in self._slots)

    @property
    def idle(self) -> int:
        """How many finished conversations are kept."""
        return len(self._slots) - self.busy

    def claim(self, prompt: Sequence[int], prompt_logprobs: int | None = None, scored_from: int = 0) -> Slot:
        """A busy slot holding as much of the prompt's beginning as is known. One must be free.

        A conversation's slot is taken where it goes on; for another one that begins alike, what is shared is copied.
        At least the last token is left to be computed, as its logits are needed. With `prompt_logprobs` the slot's
        length is such that every token at `scored_from` or later without a score of that width is computed anew.
        """
        assert self.busy < self._limit, "every slot is computing"
        prompt = list(prompt)
        best, shared = self._closest(prompt)
        scored = _scored(best, shared, prompt_logprobs, max(scored_from, 1)) if best else 0
        length = min(shared, len(prompt) - 1, max(scored - 1, 0) if prompt_logprobs is not None else shared)
        if best is None or length < 1:
            slot = self._vacant()
            slot.cut(0, 0)
        elif not best.busy and best.is_gone_on_by(prompt, shared):
            slot = best
            slot.cut(length, scored)
        else:
            slot = self._copied(best, length, scored)
        slot.busy, slot.prompt_length = True, len(prompt)
        return slot

    def release(self, slot: Slot) -> None:
        """The conversation may go on later."""
        slot.busy = False
        slot.released = next(self._clock)

    def drop(self, slot: Slot) -> None:
        """The slot's content is not to be trusted any more."""
        self._key_values.clear(slot.index)
        slot.cut(0, 0)
        slot.busy = False
        slot.released = 0

    def _closest(self, prompt: list[int]) -> tuple[Slot | None, int]:
        """The slot that shares the longest beginning with the prompt, and its length in tokens."""
        best, shared = None, 0
        for slot in self._slots:
            # Only a slot that goes on like the prompt where the best so far ends can be better.
            if len(slot.ids) > shared < len(prompt) and slot.ids[shared] == prompt[shared]:
                length = common_prefix(slot.ids, prompt)
                best, shared = (slot, length) if length > shared else (best, shared)
        return best, shared

    def _vacant(self) -> Slot:
        if len(self._slots) < self._limit:
            slot = Slot(len(self._slots))
            self._slots.append(slot)
            return slot
        return min((slot for slot in self._slots if not slot.busy), key=lambda slot: slot.released)

    def _copied(self, source: Slot, length: int, scored: int) -> Slot:
        ids, scores = source.ids[:length], source.scores[:scored]
        slot = self._vacant()
        if slot is not source:
            slot.cut(0, 0)  # memory may run out in the middle of it
            self._key_values.copy_prefix(source.index, slot.index, length)
        slot.ids, slot.scores = ids, scores
        return slot


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many leading tokens two sequences share."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _scored(slot: Slot, shared: int, width: int | None, first: int) -> int:
    """Before which of the shared tokens all from `first` on have scores of the width asked for.

    The score of token i comes out of the step that computes token i - 1, so one token fewer can be reused.
    """
    known = slot.scores[:shared]
    wide = width or 0
    lacking = (at for at in range(first, len(known)) if (found := known[at]) is None or len(found.top) < wide)
    return next(lacking, max(first, len(known)))
