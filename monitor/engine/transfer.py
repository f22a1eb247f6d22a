"""Numbers from the host to the device without waiting for it: out of pinned memory, behind what is queued there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def on_device(values: Sequence[float] | Sequence[Sequence[float]], device: torch.device, dtype: torch.dtype) -> Tensor:
    """A tensor of the values on the device."""
    if device.type == "cpu":
        return torch.tensor(values, dtype=dtype)
    return torch.tensor(values, dtype=dtype, pin_memory=True).to(device, non_blocking=True)


def indices(values: Sequence[int] | Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """A tensor to index with."""
    return on_device(values, device, torch.long)
