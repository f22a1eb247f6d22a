"""Keys and values of each conversation, and attention over many conversations packed into one row of tokens.

Registered through transformers' public `AttentionInterface`. Knows nothing of requests, tokens or sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PretrainedConfig

ATTENTION_NAME = "assistant_monitor_packed"
GROWTH_TOKENS = 256


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


class KeyValues:
    """Keys and values of one conversation: `[layer, key or value, head, token, dim]`, grown as it gets longer."""

    def __init__(self, shape: KeyValueShape) -> None:
        self._shape = shape
        self.tensor = self._empty(0)

    def _empty(self, tokens: int) -> Tensor:
        shape = self._shape
        return torch.empty(
            (shape.layers, 2, shape.heads, tokens, shape.head_dim), dtype=shape.dtype, device=shape.device
        )

    def reserve(self, tokens: int) -> None:
        """Make room for this many tokens; what is there stays."""
        if tokens > self.tensor.shape[3]:
            grown = self._empty(-(-tokens // GROWTH_TOKENS) * GROWTH_TOKENS)
            grown[:, :, :, : self.tensor.shape[3]] = self.tensor
            self.tensor = grown

    def copy_prefix(self, source: KeyValues, tokens: int) -> None:
        """Take the first tokens of another conversation."""
        self.reserve(tokens)
        self.tensor[:, :, :, :tokens] = source.tensor[:, :, :, :tokens]


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of tokens of one conversation inside a packed row: positions `start` to `end`, from `offset` on."""

    key_values: KeyValues
    start: int
    length: int
    offset: int
    mask: Tensor | None

    @property
    def end(self) -> int:
        """The conversation's length after this step."""
        return self.start + self.length


def segment(key_values: KeyValues, *, start: int, length: int, offset: int) -> Segment:
    """A segment with its mask: each token sees the conversation up to itself."""
    mask = None
    if start and length > 1:
        device = key_values.tensor.device
        columns = torch.arange(start + length, device=device)
        mask = columns <= torch.arange(start, start + length, device=device)[:, None]
    return Segment(key_values, start, length, offset, mask)


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    packed: Sequence[Segment],
    **_: object,
) -> tuple[Tensor, None]:
    """Attention of a packed row `[1, heads, tokens, dim]`; writes the new keys and values into their conversations."""
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    new = torch.stack((key[0], value[0]))
    heads, _tokens, dim = query.shape[1:]
    out = query.new_empty((query.shape[2], heads, dim))
    for part in packed:
        here = slice(part.offset, part.offset + part.length)
        kept = part.key_values.tensor[layer]
        kept[:, :, part.start : part.end] = new[:, :, here]
        keys, values = kept[:, None, :, : part.end]
        if part.length == 1:
            # The query heads of one group look at the same keys: as rows of one matrix they need no copy of them.
            grouped = query[:, :, part.offset].view(1, keys.shape[1], -1, dim)
            rows = scaled_dot_product_attention(grouped, keys, values, scale=scaling)
            out[part.offset] = rows.reshape(heads, dim)
        else:
            rows = scaled_dot_product_attention(
                query[:, :, here],
                keys,
                values,
                attn_mask=part.mask,
                is_causal=part.mask is None,
                scale=scaling,
                enable_gqa=heads != keys.shape[1],
            )
            out[here] = rows[0].transpose(0, 1)
    return out[None], None


AttentionInterface.register(ATTENTION_NAME, packed_attention)
