"""`python -m tests.benchmarks.engine`: a table, and as the last line one JSON object.

The same conversations on every side, in rounds; every speed-up is the median of the ratios within the rounds.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.engine.machine import load_average, machine
from tests.benchmarks.engine.report import last_line, of_sides, table
from tests.fixtures.models import ROOT

GOALS = {
    "speedup_vs_source_loop": "at least 3.5",
    "speedup_vs_generate": "above 1",
    "speedup_vs_transformers_batching": "above 1",
    "cpu_speedup_vs_source_loop": "",
    "bfloat16_speedup": "",
    "cached_fraction": "at least 0.95",
    "cached_fraction_of_forwarded": "the same",
    "parity": "True",
    "wall_over_critical_path": "at most 1.5",
    "start_to_first_token_seconds": "",
}


def main() -> None:
    """Measure and print."""
    options = _options()
    # Before torch is imported: its threads, those of the engine's process and of all threads that libraries start.
    os.environ |= {"OMP_NUM_THREADS": str(options.threads), "HF_HUB_OFFLINE": "1"}
    from tests.benchmarks.engine.measuring import measure

    before = load_average()
    figures = measure(options)
    figures |= {"dtype": "float32", "threads": options.threads, **machine(), "load_average": [before, load_average()]}
    show(figures)


def show(figures: Mapping[str, object]) -> None:
    """Print the tables, what they were taken on, and the object."""
    print(table(("figure", "measured", "goal"), [(name, figures[name], goal) for name, goal in GOALS.items()]))
    print()
    sides = figures["sides"]
    assert isinstance(sides, Mapping)
    print(of_sides(sides))
    print()
    for name in ("processor", "flags", "cores", "threads", "torch", "transformers", "load_average"):
        print(f"{name}: {figures[name]}")
    print(last_line(figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--cache-dir", type=Path, default=ROOT / ".cache")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--conversations", type=int, default=16)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3, help="runs of every side; also the most pairs with latency")
    parser.add_argument("--parity-conversations", type=int, default=8)
    parser.add_argument("--parity-turns", type=int, default=3)
    parser.add_argument("--latency-conversations", type=int, default=32)
    parser.add_argument(
        "--minutes", type=float, default=18, help="no further pair with latency is begun that ends later"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
