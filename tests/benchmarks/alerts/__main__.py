"""`python -m tests.benchmarks.alerts --data DIR`: tables, and as the last line one JSON object.

How soon what got worse is found, how often people are told for nothing, and what it costs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.benchmarks import delivery
from tests.benchmarks.alerts import replayed, simulated, source_rule
from tests.benchmarks.engine.machine import load_average, machine
from tests.benchmarks.engine.report import last_line, table
from tests.fixtures.models import ROOT

KILLS = 20
GOALS = {
    "simulated_years": "at least 20",
    "false_notifications_per_year": "at most 2.0",
    "false_pages_per_year": "at most 0.5",
    "hours_to_find_10": "at most 8",
    "hours_to_find_10_p90": "",
    "hours_to_find_05": "at most 16",
    "hours_to_find_05_p90": "",
    "checks_to_find_dead_intent": "at most 2",
    "checks_to_find_dead_intent_median": "",
    "checks_to_find_outage": "1",
    "conversations_per_day": "at most 700",
    "replay_100_p90_checks": "at most 1",
    "replay_50_p90_checks": "at most 2",
    "replay_16_p90_checks": "at most 8",
    "replay_16_false_alarms_per_year": "at most 1",
    "delivery_lost": "0",
    "delivery_duplicates": "",
}


def main() -> None:
    """Measure and print. Ends with 1 and says what is missing where data is."""
    options = _options()
    before, started = load_average(), time.monotonic()
    size = simulated.Size(years=options.years, changes=options.changes, processes=options.processes)
    try:
        replay = replayed.measure(
            options.data, replications=options.changes, years=options.years, processes=options.processes
        )
    except OSError as exc:
        sys.exit(f"not measured: {exc}; --data names the folder that has model_drift.csv")
    figures = {**simulated.measure(size), **replay}
    figures |= delivery.measure(options.transitions, KILLS, seed=1)
    source = source_rule.measure(options.years, options.changes)
    rows = [(name, figures[name], goal, source.get(name)) for name, goal in GOALS.items()]
    print(table(("figure", "measured", "goal", "rule `mean`, 10 rounds"), rows), end="\n\n")
    took = {"seconds": round(time.monotonic() - started, 1), "load_average": [before, load_average()]}
    print(last_line(figures | {"source_rule": source} | took | machine()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the data")
    parser.add_argument("--years", type=int, default=40, help="suites simulated for a year each")
    parser.add_argument("--changes", type=int, default=200, help="suites for each kind of change")
    parser.add_argument("--transitions", type=int, default=10_000, help="openings and ends sent through bad channels")
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
