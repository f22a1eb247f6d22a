"""The decode step as CUDA graphs: recorded once for each bucket of rows, then replayed without Python between kernels.

What a graph reads and writes lies at fixed addresses: rows are written into them before, logits are read there after.
A bucket's spare rows decode into a slot that belongs to nobody.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor
from transformers import PreTrainedModel

from monitor.engine.attention import Places, Segment
from monitor.engine.keyvalues import KeyValues
from monitor.engine.transfer import indices
from monitor.engine.varlen import Kernel, VarlenAttention

Replay = Callable[[], Tensor]
Record = Callable[[Replay], Replay]


def bucket_sizes(most: int) -> list[int]:
    """1, 2, 4, 8, then steps of 8 up to 64 and of 32 beyond, ending with `most`."""
    sizes = [1, 2, 4, *range(8, 65, 8), *range(96, most + 32, 32)]
    return [*(size for size in sizes if size < most), most]


def cuda_recorder() -> Record:
    """Records steps that have only device work in them. All graphs share the memory of what is in between."""
    memory = torch.cuda.graph_pool_handle()

    def record(step: Replay) -> Replay:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=memory):
            logits = step()

        def replay() -> Tensor:
            graph.replay()
            return logits

        return replay

    return record


class DecodeGraphs:
    """Decodes up to `most` rows. `spare` is the slot that nobody owns."""

    def __init__(
        self,
        network: PreTrainedModel,
        key_values: KeyValues,
        kernel: Kernel,
        *,
        most: int,
        spare: int,
        record: Record,
    ) -> None:
        self._network = network
        self._key_values = key_values
        self._kernel = kernel
        self._spare = spare
        self._sizes = bucket_sizes(most)
        self._inputs = torch.zeros((3, most), dtype=torch.long, device=key_values.pool.device)
        self._inputs[1] = spare
        # The largest first: the smaller ones find its memory free.
        self._replays = {size: record(self._step(size)) for size in reversed(self._sizes)}

    def forward(self, ids: Sequence[int], rows: Sequence[Segment]) -> Tensor:
        """Logits `[row, vocabulary]`, which the next call overwrites."""
        size = self._sizes[bisect_left(self._sizes, len(rows))]
        idle = [(0, self._spare, 0)] * (size - len(rows))
        columns = [*((token, row.slot, row.start) for token, row in zip(ids, rows, strict=True)), *idle]
        self._inputs[:, :size].copy_(indices(list(zip(*columns, strict=True)), self._inputs.device), non_blocking=True)
        return self._replays[size]()[: len(rows)]

    def _step(self, size: int) -> Replay:
        ids, slots, positions = self._inputs[:, :size]
        cu_q = torch.arange(size + 1, device=self._inputs.device)

        def step() -> Tensor:
            attention = VarlenAttention(
                self._kernel,
                self._key_values,
                Places(slots, positions),
                cu_q=cu_q,
                slots=slots,
                used=positions + 1,
                max_q=1,
                max_k=self._key_values.pool.shape[3],
            )
            answer = self._network(input_ids=ids[None], position_ids=positions[None], use_cache=False, packed=attention)
            return cast(Tensor, answer.logits)[0]

        return step
