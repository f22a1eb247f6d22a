"""How much longer a check takes than its longest conversation, when the assistant answers after a while.

The longest conversation alone is the critical path: no server, however fast, ends the whole before it.
"""

from __future__ import annotations

import statistics
import time

from tests.benchmarks.engine.figures import Run, median_ratio
from tests.benchmarks.engine.ours import Ours
from tests.benchmarks.engine.workload import Workload, workload

LATENCY_SECONDS = (0.5, 3.0)
ROUNDS = 4
"""Conversations that a check plays of each intent by default: they begin alike."""


def seconds_per_token(ours: Ours) -> float:
    """Of one conversation alone without any latency."""
    run = ours.run(workload(1, 2, salt="pace"))
    return run.seconds / run.tokens


def longest(work: Workload, token_seconds: float) -> int:
    """The conversation that takes longest when it is alone, at so many seconds a token."""
    return max(
        work.conversations,
        key=lambda number: sum(work.latencies[number]) + sum(work.lengths[number]) * token_seconds,
    )


def critical_pair(ours: Ours, conversations: int, turns: int, *, salt: str, token_seconds: float) -> tuple[Run, Run]:
    """The longest conversation alone, then all at once; with other tokens, so that nothing kept serves twice."""
    alone, together = (
        workload(conversations, turns, salt=f"{salt} {part}", latency_seconds=LATENCY_SECONDS, rounds=ROUNDS)
        for part in ("alone", "together")
    )
    return ours.run(alone, only=[longest(alone, token_seconds)]), ours.run(together)


def measure(ours: Ours, conversations: int, turns: int, *, pairs: int, ends: float) -> dict[str, object]:
    """The median over pairs: at least one, then more up to `pairs` while they are done before `ends` (monotonic)."""
    token_seconds = seconds_per_token(ours)
    found = list[tuple[Run, Run]]()
    while len(found) < pairs and (not found or time.monotonic() + _longest_pair(found) < ends):
        salt = f"latency {len(found)}"
        found.append(critical_pair(ours, conversations, turns, salt=salt, token_seconds=token_seconds))
    return {
        "wall_over_critical_path": round(median_ratio((both.seconds, one.seconds) for one, both in found), 2),
        "critical_path_seconds": round(statistics.median(one.seconds for one, _ in found), 2),
        "latency_wall_seconds": round(statistics.median(both.seconds for _, both in found), 2),
        "latency_pairs": len(found),
    }


def _longest_pair(found: list[tuple[Run, Run]]) -> float:
    return max(one.seconds + both.seconds for one, both in found)
