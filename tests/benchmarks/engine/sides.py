"""Every way to run a workload that `make bench-engine` compares, ready to run, warmed up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from transformers import LlamaForCausalLM

from tests.benchmarks.engine import batching, generate, loop
from tests.benchmarks.engine.figures import Run
from tests.benchmarks.engine.machine import computes_bfloat16, matrix_flags
from tests.benchmarks.engine.ours import Ours, our_engine
from tests.benchmarks.engine.workload import Workload, workload

ENGINE, ENGINE_BFLOAT16 = "engine", "engine_bfloat16"
LOOP, GENERATE, BATCHING = "source_loop", "generate", "transformers_batching"


@dataclass(frozen=True, slots=True)
class Sides:
    """`by_name` in the order in which they are run; `ours` and `model` are what some of them run on.

    Those in `once` are run in the first round only.
    """

    ours: Ours
    model: LlamaForCausalLM
    by_name: Mapping[str, Callable[[Workload], Run]]
    once: frozenset[str]


@contextlib.contextmanager
def all_sides(folder: Path, place: Path, threads: int) -> Iterator[Sides]:
    """The model of `folder` on every side. bfloat16 only where the processor multiplies it, once if not by matrices."""
    with contextlib.ExitStack() as engines:
        ours = engines.enter_context(our_engine(folder, place, threads=threads, dtype="float32"))
        model = loop.load(folder, threads)
        by_name: dict[str, Callable[[Workload], Run]] = {
            LOOP: lambda work: loop.run(model, work),
            ENGINE: ours.run,
            GENERATE: lambda work: generate.run(model, work),
            BATCHING: lambda work: batching.run(model, work),
        }
        if computes_bfloat16():
            by_name[ENGINE_BFLOAT16] = engines.enter_context(
                our_engine(folder, place, threads=threads, dtype="bfloat16")
            ).run
        for run in by_name.values():
            run(workload(2, 1, salt="warm"))
        # Without AMX bfloat16 can take several times as long as float32, and the rounds are to end in time.
        once = frozenset() if "amx_bf16" in matrix_flags() else frozenset({ENGINE_BFLOAT16})
        yield Sides(ours, model, by_name, once)
