"""Rounds of one workload on all sides, and the speed-ups that follow. What else the machine does falls on all sides."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.engine.figures import (
    Run,
    cached_fraction,
    cached_fraction_of_forwarded,
    median_ratio,
)
from tests.benchmarks.engine.report import of_runs
from tests.benchmarks.engine.sides import BATCHING, ENGINE, ENGINE_BFLOAT16, GENERATE, LOOP, Sides
from tests.benchmarks.engine.workload import workload


@dataclass(frozen=True, slots=True)
class Round:
    """One run of every side; `prefilled_tokens` the engine counted itself meanwhile, None: it does not export that."""

    runs: Mapping[str, Run]
    prefilled_tokens: float | None


def play(sides: Sides, conversations: int, turns: int, count: int) -> list[Round]:
    """Rounds with the same lengths and other tokens; every second one goes through the sides backwards."""
    rounds = []
    for number in range(count):
        work = workload(conversations, turns, salt=f"round {number}")
        names = [name for name in sides.by_name if number == 0 or name not in sides.once]
        order = names[:: -1 if number % 2 else 1]
        before = sides.ours.counted("prefilled")
        runs = {name: sides.by_name[name](work) for name in order}
        after = sides.ours.counted("prefilled")
        rounds.append(Round(runs, None if before is None or after is None else after - before))
    return rounds


def figures(rounds: Sequence[Round]) -> dict[str, object]:
    """Medians over the rounds; the ratios are medians of ratios within a round."""
    return {
        "speedup_vs_source_loop": _speedup(rounds, LOOP),
        "speedup_vs_generate": _speedup(rounds, GENERATE),
        "speedup_vs_transformers_batching": _speedup(rounds, BATCHING),
        "cpu_speedup_vs_source_loop": _speedup(rounds, LOOP, cpu=True),
        "bfloat16_speedup": _speedup(rounds, ENGINE, ENGINE_BFLOAT16),
        "cached_fraction": _median(cached_fraction(one.runs[ENGINE].conversations) for one in rounds),
        "cached_fraction_of_forwarded": _median(_of_forwarded(one) for one in rounds),
        "generated_tokens": rounds[0].runs[ENGINE].tokens,
        "sides": {name: of_runs([one.runs[name] for one in rounds if name in one.runs]) for name in rounds[0].runs},
    }


def _speedup(rounds: Sequence[Round], slower: str, faster: str = ENGINE, *, cpu: bool = False) -> float | None:
    """The median ratio of the rounds that ran both; None: there was none."""
    pairs = [(one.runs[slower], one.runs[faster]) for one in rounds if {slower, faster} <= one.runs.keys()]
    seconds = [(left.cpu_seconds, right.cpu_seconds) if cpu else (left.seconds, right.seconds) for left, right in pairs]
    return round(median_ratio(seconds), 2) if seconds else None


def _of_forwarded(one: Round) -> float | None:
    if one.prefilled_tokens is None:
        return None
    return cached_fraction_of_forwarded(one.runs[ENGINE].conversations, one.prefilled_tokens)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(statistics.median(known), 4) if known else None
