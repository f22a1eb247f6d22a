"""`generate` over all conversations at once: left padding, turns in lock-step, the whole history prefilled every turn.

A row that has its tokens is padded until the longest row of the turn has its own: `generate` cannot let it leave.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaForCausalLM, StoppingCriteria, StoppingCriteriaList

from tests.benchmarks.engine.figures import Run, Turn
from tests.benchmarks.engine.loop import PAD, rules
from tests.benchmarks.engine.workload import Workload


class RowLengths(StoppingCriteria):
    """Ends each row after its own number of tokens."""

    def __init__(self, prompt_length: int, lengths: list[int]) -> None:
        self._ends = prompt_length + torch.tensor(lengths)

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        """Which rows are finished; called by `generate`."""
        return input_ids.shape[1] >= self._ends


def run(model: LlamaForCausalLM, work: Workload) -> Run:
    """Play a workload, one turn of all conversations after the other."""
    began, cpu_began = time.perf_counter(), time.process_time()
    histories = [work.opening(number) for number in work.conversations]
    conversations = [list[Turn]() for _ in work.conversations]
    for turn in range(len(work.lengths[0])):
        lengths = [row[turn] for row in work.lengths]
        for number, generated in enumerate(_turn(model, histories, lengths)):
            conversations[number].append(Turn(len(histories[number]), tuple(generated)))
            histories[number] = [*histories[number], *generated, *work.reply(number, turn)]
    return Run(time.perf_counter() - began, time.process_time() - cpu_began, conversations)


def _turn(model: LlamaForCausalLM, histories: list[list[int]], lengths: list[int]) -> list[list[int]]:
    width = max(map(len, histories))
    padding = [width - len(ids) for ids in histories]
    prompt = torch.tensor([[PAD] * count + ids for count, ids in zip(padding, histories, strict=True)])
    mask = torch.tensor([[0] * count + [1] * (width - count) for count in padding])
    whole = model.generate(  # type: ignore[misc]
        prompt,
        attention_mask=mask,
        generation_config=rules(max(lengths)),
        stopping_criteria=StoppingCriteriaList([RowLengths(width, lengths)]),
    )
    return [row[width : width + length].tolist() for row, length in zip(whole, lengths, strict=True)]
