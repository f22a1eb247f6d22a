"""transformers' own continuous batching, each conversation at its own pace, with prefixes shared between turns.

Its way that works and is fastest here: the end token switched off (`min_new_tokens` has no effect in it), scaled dot
product attention, and pages of 32 tokens, because it shares whole pages only and its own 256 would share hardly any.
"""

from __future__ import annotations

import time

from transformers import GenerationConfig, LlamaForCausalLM
from transformers.generation.configuration_utils import ContinuousBatchingConfig
from transformers.generation.continuous_batching import ContinuousBatchingManager

from tests.benchmarks.engine.figures import Run, Turn
from tests.benchmarks.engine.loop import PAD
from tests.benchmarks.engine.workload import TEMPERATURE, TOP_P, Workload

PAGE_TOKENS = 32
PAGES = 1024
STEP_TOKENS = 512
NO_END = -1
POLL_SECONDS = 5.0


def run(model: LlamaForCausalLM, work: Workload) -> Run:
    """Play a workload. What is allocated before the first request is not counted."""
    sampling = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True, temperature=TEMPERATURE, top_p=TOP_P, eos_token_id=NO_END, pad_token_id=PAD
    )
    pages = ContinuousBatchingConfig(page_size=PAGE_TOKENS, num_blocks=PAGES, max_batch_tokens=STEP_TOKENS)
    batching = model.continuous_batching_context_manager(
        generation_config=sampling, continuous_batching_config=pages, warmup=False
    )
    with batching as manager:
        began, cpu_began = time.perf_counter(), time.process_time()
        conversations = _converse(manager, work)
        return Run(time.perf_counter() - began, time.process_time() - cpu_began, conversations)


def _converse(manager: ContinuousBatchingManager, work: Workload) -> list[list[Turn]]:
    histories = [work.opening(number) for number in work.conversations]
    conversations = [list[Turn]() for _ in work.conversations]
    for number in work.conversations:
        _ask(manager, work, number, 0, histories[number])
    for _ in range(sum(map(len, work.lengths))):
        number, generated = _next(manager)
        turns, ids = conversations[number], histories[number]
        histories[number] = [*ids, *generated, *work.reply(number, len(turns))]
        turns.append(Turn(len(ids), generated))
        if len(turns) < len(work.lengths[number]):
            _ask(manager, work, number, len(turns), histories[number])
    return conversations


def _ask(manager: ContinuousBatchingManager, work: Workload, number: int, turn: int, ids: list[int]) -> None:
    length = work.lengths[number][turn]
    manager.add_request(ids, request_id=f"{number} {turn}", max_new_tokens=length, eos_token_id=NO_END)


def _next(manager: ContinuousBatchingManager) -> tuple[int, tuple[int, ...]]:
    """The next conversation whose turn has ended, and its tokens. Raises RuntimeError when the manager gave up."""
    while (answer := manager.get_result(timeout=POLL_SECONDS)) is None:
        if not manager.is_running():
            raise RuntimeError("transformers' continuous batching ended by itself")
    if answer.error:
        raise RuntimeError(f"transformers' continuous batching failed: {answer.error}")
    return int(answer.request_id.split()[0]), tuple(answer.generated_tokens)
