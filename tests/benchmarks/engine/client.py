"""Plays a workload against a completions server, all its conversations at once. Knows no server in particular."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from tests.benchmarks.engine.figures import Conversation, Run, Turn
from tests.benchmarks.engine.workload import Workload

Ask = Callable[[list[int], int, int], Awaitable[Turn]]
"""Prompt, tokens to generate and seed in, one turn out."""


async def converse(ask: Ask, work: Workload, number: int) -> Conversation:
    """One conversation: every turn sends the whole history, then waits as long as the assistant takes."""
    ids, turns = work.opening(number), list[Turn]()
    for turn, length in enumerate(work.lengths[number]):
        answer = await ask(ids, length, work.seed(number, turn))
        if len(answer.ids) != length:
            raise RuntimeError(f"{len(answer.ids)} tokens instead of {length}")
        turns.append(answer)
        await asyncio.sleep(work.latencies[number][turn])
        ids = [*ids, *answer.ids, *work.reply(number, turn)]
    return turns


async def play(ask: Ask, work: Workload, cpu_seconds: Callable[[], float], only: Iterable[int] | None = None) -> Run:
    """All conversations at once, or `only` those. The client's own CPU time is added to the server's."""
    numbers = list(work.conversations if only is None else only)
    cpu_began, began = cpu_seconds() + time.process_time(), time.perf_counter()
    conversations = await asyncio.gather(*(converse(ask, work, number) for number in numbers))
    seconds = time.perf_counter() - began
    return Run(seconds, cpu_seconds() + time.process_time() - cpu_began, conversations)
