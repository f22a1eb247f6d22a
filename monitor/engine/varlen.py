"""Attention by the flash kernel for sequences of unequal length: one call a layer for decoding rows and prompts alike.

The kernel is that of the stock wheel (`torch.nn.attention.varlen`), for GPUs and half precision. Each conversation's
keys begin where its slot does; `seqused_k` says how many of them are there, so the pool is read where it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor

from monitor.engine.attention import Places, Segment
from monitor.engine.keyvalues import KeyValues
from monitor.engine.transfer import indices

Kernel = Callable[..., Tensor]


def flash_kernel(dtype: torch.dtype, device: torch.device) -> Kernel | None:
    """The kernel, if this torch has it for this device and type."""
    if device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
        return None
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return cast(Kernel, varlen_attn)


class VarlenAttention:
    """The attention of one step. `cu_q` is `[segment + 1]`, the others `[segment]`, or `[token]` for the places."""

    def __init__(
        self,
        kernel: Kernel,
        key_values: KeyValues,
        places: Places,
        *,
        cu_q: Tensor,
        slots: Tensor,
        used: Tensor,
        max_q: int,
        max_k: int,
    ) -> None:
        self._kernel = kernel
        self._pool = key_values.pool
        self._places = places
        self._cu_q = cu_q.int()
        # The kernel reads a sequence's beginning only; the last entry closes the list.
        self._cu_k = torch.cat((slots, slots[-1:] + 1)).mul(self._pool.shape[3]).int()
        self._used = used.int()
        self._max_q = max_q
        self._max_k = max_k

    @classmethod
    def of(cls, kernel: Kernel, key_values: KeyValues, segments: Sequence[Segment]) -> VarlenAttention:
        """The attention of these segments, none of which has branches."""
        device = key_values.pool.device
        return cls(
            kernel,
            key_values,
            Places.of(segments, device),
            cu_q=indices([0, *(part.offset + part.length for part in segments)], device),
            slots=indices([part.slot for part in segments], device),
            used=indices([part.end for part in segments], device),
            max_q=max(part.length for part in segments),
            max_k=max(part.end for part in segments),
        )

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """As in `Attention`."""
        pool = self._pool[layer]
        self._places.keep(pool, key, value)
        return self._kernel(
            query,
            pool[0].flatten(0, 1),
            pool[1].flatten(0, 1),
            self._cu_q,
            self._cu_k,
            self._max_q,
            self._max_k,
            scale=scaling,
            window_size=(-1, 0),
            enable_gqa=query.shape[1] != key.shape[1],
            seqused_k=self._used,
        )
