"""Attention over many conversations packed into one row of tokens, by PyTorch's `scaled_dot_product_attention`.

Registered through transformers' public `AttentionInterface`. Knows nothing of requests, tokens or sampling.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from monitor.engine.keyvalues import KeyValues
from monitor.engine.transfer import indices

ATTENTION_NAME = "assistant_monitor_packed"
CALL_TOKENS = 512
"""What a call of the attention costs beside its work, in tokens of keys that it could have looked at."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of tokens of one conversation inside a packed row: positions `start` to `end`, from `offset` on.

    With `branches` (lengths) it is several continuations, one after the other, that all follow the first `start` tokens
    of the slot and do not see each other; their keys and values are not kept.
    """

    slot: int
    start: int
    length: int
    offset: int
    branches: tuple[int, ...] = ()

    @property
    def end(self) -> int:
        """The conversation's length after this step."""
        return self.start + (0 if self.branches else self.length)

    @property
    def is_row(self) -> bool:
        """Whether it is a single token that is kept, as in decoding."""
        return self.length == 1 and not self.branches

    @property
    def positions(self) -> list[int]:
        """The place of each token in its conversation."""
        lengths = self.branches or (self.length,)
        return [place for length in lengths for place in range(self.start, self.start + length)]


class Attention(Protocol):
    """The attention of one step."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """Attention of the packed tokens `[token, head, dim]`; keeps their keys and values."""
        ...


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    packed: Attention,
    **_: object,
) -> tuple[Tensor, None]:
    """What transformers calls in every layer, with `[1, head, token, dim]`."""
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    query, key, value = (part[0].transpose(0, 1) for part in (query, key, value))
    return packed.attend(layer, query, key, value, scaling)[None], None


AttentionInterface.register(ATTENTION_NAME, packed_attention)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the packed tokens' keys and values are kept. `offsets`: those of the tokens that are; None: all are."""

    slots: Tensor
    positions: Tensor
    offsets: Tensor | None = None

    @classmethod
    def of(cls, segments: Sequence[Segment], device: torch.device) -> Places:
        """The places of the segments' tokens, in their order."""
        kept = [part for part in segments if not part.branches]
        offsets = None
        if len(kept) < len(segments):
            offsets = indices([at for part in kept for at in range(part.offset, part.offset + part.length)], device)
        slots = [part.slot for part in kept for _ in range(part.length)]
        positions = [place for part in kept for place in part.positions]
        return cls(indices(slots, device), indices(positions, device), offsets)

    def keep(self, pool: Tensor, key: Tensor, value: Tensor) -> None:
        """Write them into one layer's `pool [key or value, slot, token, head, dim]`."""
        if self.offsets is not None:
            key, value = key[self.offsets], value[self.offsets]
        if len(key):
            pool[0, self.slots, self.positions] = key
            pool[1, self.slots, self.positions] = value


class SdpaAttention:
    """Rows that decode are computed together, slots side by side in the pool as one batch; prompts one by one."""

    def __init__(self, key_values: KeyValues, segments: Sequence[Segment]) -> None:
        self._pool = key_values.pool
        self._places = Places.of(segments, self._pool.device)
        rows = sorted((part for part in segments if part.is_row), key=lambda row: row.slot)
        self._batches = [_Batch.of(batch, self._pool) for batch in batches(rows)]
        self._parts = [(part, _mask(part, self._pool.device)) for part in segments if not part.is_row]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """As in `Attention`."""
        pool = self._pool[layer]
        self._places.keep(pool, key, value)
        out = torch.empty_like(query)
        for batch in self._batches:
            batch.attend(pool, query, out, scaling)
        for part, mask in self._parts:
            here = slice(part.offset, part.offset + part.length)
            keys, values = pool[:, part.slot, : part.end]
            if part.branches:
                keys, values = torch.cat((keys, key[here])), torch.cat((values, value[here]))
            queries = query[here].transpose(0, 1)[None]
            out[here] = scaled_dot_product_attention(
                queries,
                keys.transpose(0, 1)[None],
                values.transpose(0, 1)[None],
                attn_mask=mask,
                is_causal=mask is None,
                scale=scaling,
                enable_gqa=queries.shape[1] != keys.shape[1],
            )[0].transpose(0, 1)
        return out


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rows in a range of slots. `among`: which of these slots have a row, None if all; the others are computed in vain.

    `mask [slot, 1, 1, token]` ends each conversation where it ends; None where all end alike.
    """

    slots: slice
    tokens: int
    offsets: slice | Tensor
    among: Tensor | None
    mask: Tensor | None

    @classmethod
    def of(cls, rows: Sequence[Segment], pool: Tensor) -> _Batch:
        device, first, count = pool.device, rows[0].slot, rows[-1].slot + 1 - rows[0].slot
        tokens = max(row.end for row in rows)
        among = mask = None
        if count > len(rows):
            among = indices([row.slot - first for row in rows], device)
        if any(row.end < tokens for row in rows):
            ends = [tokens] * count
            for row in rows:
                ends[row.slot - first] = row.end
            behind = torch.arange(tokens, device=device) >= indices(ends, device)[:, None]
            mask = torch.zeros((count, 1, 1, tokens), dtype=pool.dtype, device=device)
            mask.masked_fill_(behind[:, None, None], -torch.inf)
        offsets: slice | Tensor = slice(rows[0].offset, rows[0].offset + len(rows))
        if any(right.offset != left.offset + 1 for left, right in itertools.pairwise(rows)):
            offsets = indices([row.offset for row in rows], device)
        return cls(slice(first, first + count), tokens, offsets, among, mask)

    def attend(self, pool: Tensor, query: Tensor, out: Tensor, scaling: float) -> None:
        keys, values = pool[:, self.slots, : self.tokens].transpose(2, 3)
        count, groups, dim = keys.shape[0], keys.shape[1], keys.shape[3]
        rows = query[self.offsets]
        if self.among is not None:
            wide = rows.new_zeros((count, *rows.shape[1:]))
            wide[self.among] = rows
            rows = wide
        # The query heads of one group look at the same keys: as rows of one matrix they need no copy of them.
        grouped = rows.reshape(count, groups, -1, dim)
        found = scaled_dot_product_attention(grouped, keys, values, attn_mask=self.mask, scale=scaling)
        found = found.reshape(rows.shape)
        out[self.offsets] = found if self.among is None else found[self.among]


def batches(rows: Sequence[Segment]) -> list[list[Segment]]:
    """The rows, in the order of their slots, cut where looking at what lies between costs more than another call."""
    found: list[list[Segment]] = []
    area, tokens = 0, 0
    for row in rows:
        longest = max(tokens, row.end)
        together = (row.slot + 1 - found[-1][0].slot) * longest if found else 0
        if found and together <= area + row.end + CALL_TOKENS:
            found[-1].append(row)
            area, tokens = together, longest
        else:
            found.append([row])
            area, tokens = row.end, row.end
    return found


def _mask(part: Segment, device: torch.device) -> Tensor | None:
    """What each token of a segment sees, `[token, key]`; None: all before it, from the conversation's beginning."""
    if not part.branches:
        if not part.start:
            return None
        columns = torch.arange(part.end, device=device)
        return columns <= torch.arange(part.start, part.end, device=device)[:, None]
    mask = torch.zeros((part.length, part.start + part.length), dtype=torch.bool, device=device)
    mask[:, : part.start] = True
    first = 0
    for length in part.branches:
        own = slice(first, first + length), slice(part.start + first, part.start + first + length)
        mask[own] = torch.ones((length, length), dtype=torch.bool, device=device).tril()
        first += length
    return mask
