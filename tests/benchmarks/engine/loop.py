"""The loop of the source: one conversation after the other, the whole history prefilled again at every turn."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from transformers import GenerationConfig, LlamaForCausalLM

from tests.benchmarks.engine.figures import Conversation, Run, Turn
from tests.benchmarks.engine.workload import TEMPERATURE, TOP_P, Workload

PAD = 0


def load(folder: Path, threads: int) -> LlamaForCausalLM:
    """The model as `from_pretrained` gives it, in float32, with no token that ends a text: lengths are forced."""
    torch.set_num_threads(threads)
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.generation_config.eos_token_id = None
    return model


def rules(length: int, *, greedy: bool = False) -> GenerationConfig:
    """As every side samples. top_k stays at the 50 of `generate`, which spares it the sorting of the vocabulary."""
    if greedy:
        return GenerationConfig(max_new_tokens=length, do_sample=False, pad_token_id=PAD)  # type: ignore[no-untyped-call]
    return GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=length, do_sample=True, temperature=TEMPERATURE, top_p=TOP_P, pad_token_id=PAD
    )


def run(model: LlamaForCausalLM, work: Workload, *, greedy: bool = False) -> Run:
    """Play a workload, one conversation at a time."""
    began, cpu_began = time.perf_counter(), time.process_time()
    conversations = [_converse(model, work, number, greedy) for number in work.conversations]
    return Run(time.perf_counter() - began, time.process_time() - cpu_began, conversations)


def _converse(model: LlamaForCausalLM, work: Workload, number: int, greedy: bool) -> Conversation:
    ids, turns = work.opening(number), list[Turn]()
    for turn, length in enumerate(work.lengths[number]):
        prompt = torch.tensor([ids])
        settings = rules(length, greedy=greedy)
        whole = model.generate(prompt, attention_mask=torch.ones_like(prompt), generation_config=settings)  # type: ignore[misc]
        generated = whole[0, len(ids) :].tolist()
        turns.append(Turn(len(ids), tuple(generated)))
        ids = [*ids, *generated, *work.reply(number, turn)]
    return turns
