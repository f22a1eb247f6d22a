"""How fast pages, metrics and retention are over a million conversations, on SQLite and on PostgreSQL.

`python -m tests.benchmarks.store [--conversations 1000000] [--folder DIR] [--databases sqlite,postgresql]` prints a
table and, as the last line, one JSON object with a key for each database. Where it cannot run it says why and ends
with 2.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from monitor.store import Store
from monitor.store.engine import connect, parse, sqlite_path
from tests.benchmarks.engine.report import last_line, table
from tests.benchmarks.store.databases import FILLED, CannotRun, require_room, require_server
from tests.benchmarks.store.retiring import retire
from tests.benchmarks.store.showing import conversation_ids, show
from tests.benchmarks.store.timing import TimedDatabase
from tests.benchmarks.store.world import INTENTS, World

GOALS = {
    "overview_p95_ms": "under 200",
    "conversation_p95_ms": "under 50",
    "metrics_p95_ms": "under 20",
    "retention_longest_lock_ms": "under 200",
}
LEAST = 10 * INTENTS
Figures = dict[str, float]


def measure(name: str, options: argparse.Namespace) -> Figures:
    """The figures of one kind of database."""
    world, began = World(options.conversations, seed=options.seed), time.monotonic()

    def tell(what: str) -> None:
        print(f"{name}: {what} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)

    with FILLED[name](options.folder, world, tell, options.seed) as url:
        tell("pages and metrics are asked for")
        parsed = parse(url)
        database = TimedDatabase(connect(parsed))
        store = Store(database, sqlite_path(parsed))
        try:
            ids = database.read(conversation_ids)
            figures: Figures = show(store, world, ids, requests=options.requests, seed=options.seed)
            tell("old conversations are deleted")
            figures |= retire(store, database, world)
        finally:
            store.close()
    tell("done")
    return figures | {
        "conversations": len(ids),
        "total_seconds": round(time.monotonic() - began, 1),
        "load_average": round(os.getloadavg()[0], 2),
    }


def shown(figures: Mapping[str, Figures]) -> str:
    """A table of all figures, those with goals first."""
    names = [*GOALS, *(name for name in next(iter(figures.values())) if name not in GOALS)]
    rows = [(name, *(of[name] for of in figures.values()), GOALS.get(name, "")) for name in names]
    return table(("figure", *figures, "goal"), rows)


def main() -> None:
    """Measure and print."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that its files go with it
    try:
        require_server(options.databases)
        require_room(options.folder, options.databases, options.conversations)
    except CannotRun as refusal:
        print(f"bench-store: {refusal}", file=sys.stderr)
        raise SystemExit(2) from refusal
    figures = {name: measure(name, options) for name in options.databases}
    print(shown(figures))
    print(last_line(figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=_at_least_a_few, default=1_000_000)
    parser.add_argument("--folder", type=_folder, default=Path(tempfile.gettempdir()), help="where the files lie")
    parser.add_argument("--databases", type=_databases, default=tuple(FILLED), help="sqlite,postgresql or one of them")
    parser.add_argument("--requests", type=int, default=200, help="of each kind; conversations twice as many")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _at_least_a_few(text: str) -> int:
    number = int(text)
    if number < LEAST:
        raise argparse.ArgumentTypeError(f"{number} is too few: give {LEAST} or more, ten for each intent")
    return number


def _folder(text: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}: make it, or give one that is there")
    return folder


def _databases(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in FILLED]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{text!r} names no database of these: {', '.join(FILLED)}")
    return names


if __name__ == "__main__":
    main()
