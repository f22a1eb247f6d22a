"""Tables and the one JSON object of the benchmarks. Knows nothing of how the figures were taken."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence

from tests.benchmarks.engine.figures import Run

NOT_MEASURED = "not measured"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell; the first is text, the others are numbers."""
    cells = [list(head), *([shown(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in cells)
    )


def shown(value: object) -> str:
    """A number to three significant places, None as not measured."""
    if value is None:
        return NOT_MEASURED
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def of_runs(runs: Sequence[Run]) -> dict[str, float | int]:
    """The medians of several runs of workloads of one size."""
    return {
        "seconds": round(statistics.median(run.seconds for run in runs), 2),
        "cpu_seconds": round(statistics.median(run.cpu_seconds for run in runs), 2),
        "tokens_per_second": round(statistics.median(run.tokens_per_second for run in runs), 1),
        "runs": len(runs),
    }


def of_sides(sides: Mapping[str, Mapping[str, object]]) -> str:
    """A table of what `of_runs` gave for each side."""
    head = ("seconds", "cpu_seconds", "tokens_per_second", "runs")
    return table(("side", *head), [(name, *(side[key] for key in head)) for name, side in sides.items()])


def last_line(figures: Mapping[str, object]) -> str:
    """One JSON object without line breaks. Raises ValueError for a number that is none."""
    return json.dumps(figures, allow_nan=False)
