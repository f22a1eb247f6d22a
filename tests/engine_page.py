"""A page of metrics as an engine writes it, without a model; and what Prometheus' own tool says of pages."""

from __future__ import annotations

import subprocess

from prometheus_client import disable_created_metrics

from monitor.engine.measures import Measures
from tests.installed import installed

GAUGES = ("queue", "slots_in_use", "slots_idle", "slots_free", "batch_tokens_limit")
"""What an engine with a model exports beside its `Measures`."""


def engine_page(*, steps: int = 3, restarts: int = 0, free: float = 5) -> str:
    """After so many steps of 20 ms with two rows each."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    measures = Measures()
    for name in GAUGES:
        measures.gauge(name, f"About {name}.", lambda: free)
    for _ in range(steps):
        measures.step_seconds.observe(0.02)
        measures.step_rows.observe(2)
        measures.queue_seconds.observe(0.3)
    measures.requests.labels("stop").inc(steps)
    measures.restarts.inc(restarts)
    return measures.text().decode()


def blamed(page: bytes) -> tuple[int, bytes, bytes]:
    """What `promtool check metrics` says of a page."""
    command = [str(installed("promtool", "prometheus")), "check", "metrics"]
    run = subprocess.run(command, input=page, capture_output=True, check=False, timeout=60)
    return run.returncode, run.stdout, run.stderr
