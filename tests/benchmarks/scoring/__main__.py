"""`python -m tests.benchmarks.scoring --data DIR`: tables, and as the last line one JSON object.

How far scores agree with what people said of the same conversations, without a judge.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.engine.machine import load_average, machine
from tests.benchmarks.engine.report import last_line, table
from tests.benchmarks.scoring import canaries, tools
from tests.benchmarks.scoring.measuring import measure, tables
from tests.benchmarks.scoring.probing import UserModelOptions
from tests.benchmarks.scoring.ratings import MissingData, read_ratings
from tests.fixtures.models import ROOT

GOALS = {
    "conduct_spearman": "at least 0.40, aim 0.50",
    "conduct_within_assistant": "at least 0.25",
    "experience_spearman": "at least 0.28, aim 0.40",
    "experience_within_assistant": "",
    "blend_spearman": "",
    "blend_within_assistant": "",
    "blend_rank_accuracy": "",
    "blend_rank_accuracy_without_best": "",
    "fit_spearman": "at least 0.50, aim 0.60",
    "rank_accuracy": "at least 0.76",
    "rank_accuracy_without_best": "at least 0.65",
    "tool_accuracy": "at least 0.95, aim 0.99",
    "user_ended_correlation": "",
    "canary_auc": "at least 0.95",
    "conversations_per_second": "",
    "f_center": "",
    "f_spread": "",
}


def main() -> None:
    """Measure and print. Ends with 1 and says what is missing where data is."""
    options = _options()
    os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
    before = load_average()
    try:
        rated = read_ratings(options.data)[: options.conversations]
        figures: dict[str, object] = {**tools.measure(options.data), **canaries.measure()}
    except (MissingData, OSError) as exc:
        sys.exit(f"not measured: {exc}")
    model = UserModelOptions(
        name=options.model,
        kind=options.kind,
        device=options.device,
        dtype=options.dtype,
        cache_dir=options.cache_dir,
        threads=options.threads,
    )
    measured = measure(rated, model)
    print(tables(rated, measured.values), end="\n\n")
    figures |= {**measured.figures, "threads": options.threads, **machine()}
    show(figures | {"load_average": [before, load_average()]})


def show(figures: Mapping[str, object]) -> None:
    """Print the figures beside their goals, what they were taken on, and the object."""
    print(table(("figure", "measured", "goal"), [(name, figures.get(name), goal) for name, goal in GOALS.items()]))
    print()
    for name in ("user_model", "conversations", "processor", "cores", "threads", "torch", "load_average"):
        print(f"{name}: {figures.get(name)}")
    print(last_line(figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data")
    parser.add_argument("--model", default="smollm2", help="the user model: a folder, a hub id, or smollm2")
    parser.add_argument("--kind", choices=("prompted", "userlm"), default="prompted")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--cache-dir", type=Path, default=ROOT / ".cache")
    parser.add_argument("--conversations", type=int, help="only so many rated conversations, for a try")
    return parser.parse_args()


if __name__ == "__main__":
    main()
