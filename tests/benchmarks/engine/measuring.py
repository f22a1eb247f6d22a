"""The whole of `make bench-engine` in its order. Imports torch, so the number of threads is set before."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from transformers.utils import logging

from monitor.engine.weights import resolve
from tests.benchmarks.engine import latency, parity, rounds
from tests.benchmarks.engine.ours import start_to_first_token_seconds
from tests.benchmarks.engine.sides import all_sides

STARTS = 3


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Every figure. Pairs with the assistant's latency come last, as many as `options.minutes` leave time for."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    ends = time.monotonic() + options.minutes * 60
    folder = resolve(options.model, cache_dir=options.cache_dir)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        with all_sides(folder, place, options.threads) as sides:
            found = rounds.figures(rounds.play(sides, options.conversations, options.turns, options.rounds))
            equal = parity.measure(sides.ours, sides.model, options.parity_conversations, options.parity_turns)
            found |= {
                "parity": equal.holds,
                "parity_tokens": equal.tokens,
                "parity_equal_tokens": equal.equal_tokens,
                "parity_first_difference": equal.first_difference,
            }
            size = options.latency_conversations, options.turns
            starts = [_start(folder, place, options.threads) for _ in range(STARTS)]
            found["start_to_first_token_seconds"] = round(statistics.median(starts), 2)
            return found | latency.measure(sides.ours, *size, pairs=options.rounds, ends=ends)


def _start(folder: Path, place: Path, threads: int) -> float:
    with tempfile.TemporaryDirectory(dir=place) as name:
        return start_to_first_token_seconds(folder, Path(name), threads=threads)
