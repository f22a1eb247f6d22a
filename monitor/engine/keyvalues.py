"""The keys and values of all conversations, in one pool. Knows nothing of requests, tokens or attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PretrainedConfig

GROWTH_TOKENS = 256
FIRST_SLOTS = 4


@dataclass(frozen=True, slots=True)
class KeyValueShape:
    """The size of one token's keys and values in the model, and where they lie."""

    layers: int
    heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, config: PretrainedConfig, dtype: torch.dtype, device: torch.device) -> KeyValueShape:
        """The shape of a model with full attention in every layer. Raises ValueError for any other."""
        kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
        if kinds != {"full_attention"}:
            raise ValueError(f"layers with {', '.join(sorted(kinds - {'full_attention'}))} are not supported")
        heads = config.num_attention_heads
        dim = getattr(config, "head_dim", None) or config.hidden_size // heads
        return cls(config.num_hidden_layers, getattr(config, "num_key_value_heads", heads), dim, dtype, device)

    @property
    def token_bytes(self) -> int:
        """Bytes that one token takes."""
        return self.layers * 2 * self.heads * self.head_dim * self.dtype.itemsize


class KeyValues:
    """A pool `[layer, key or value, slot, token, head, dim]`, of which a conversation has one slot.

    On a CPU it grows with use, up to `slots` conversations of `tokens` each. On a GPU all of it is taken at the start:
    memory that could be missing later is missing at once. It holds no value that is not a number: attention over
    several slots multiplies what is behind a conversation's end by zero.
    """

    def __init__(self, shape: KeyValueShape, *, slots: int, tokens: int) -> None:
        self.shape = shape
        self._slots = slots
        self._tokens = _rounded(tokens)
        self.pool = self._zeros(0, 0) if shape.device.type == "cpu" else self._zeros(slots, self._tokens)

    def _zeros(self, slots: int, tokens: int) -> Tensor:
        shape = self.shape
        if shape.device.type == "cpu":
            # In memory the tokens of one head lie side by side: reading them takes two thirds of the time.
            size = (shape.layers, 2, slots, shape.heads, tokens, shape.head_dim)
            return torch.zeros(size, dtype=shape.dtype).transpose(3, 4)
        size = (shape.layers, 2, slots, tokens, shape.heads, shape.head_dim)
        return torch.zeros(size, dtype=shape.dtype, device=shape.device)

    def reserve(self, slots: int, tokens: int) -> None:
        """Make room for so many slots of so many tokens; what is there stays."""
        had_slots, had_tokens = self.pool.shape[2:4]
        if slots <= had_slots and tokens <= had_tokens:
            return
        more = min(self._slots, max(slots, 2 * had_slots, FIRST_SLOTS)) if slots > had_slots else had_slots
        grown = self._zeros(more, max(_rounded(tokens), had_tokens))
        grown[:, :, :had_slots, :had_tokens] = self.pool
        self.pool = grown

    def copy_prefix(self, source: int, target: int, tokens: int) -> None:
        """Give a slot the first tokens of another one."""
        self.reserve(max(source, target) + 1, tokens)
        self.pool[:, :, target, :tokens] = self.pool[:, :, source, :tokens]

    def clear(self, slot: int) -> None:
        """Forget what a slot holds, whatever it is."""
        if slot < self.pool.shape[2]:
            self.pool[:, :, slot] = 0


def _rounded(tokens: int) -> int:
    return -(-tokens // GROWTH_TOKENS) * GROWTH_TOKENS
