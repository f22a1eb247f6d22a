"""What the monitor counts of itself, in figures of this process. Knows neither a scheduler nor a server."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from prometheus_client import Counter
from prometheus_client.metrics_core import CounterMetricFamily, Metric

from monitor.selfwatch.overlaps import Overlaps

PREFIX = "assistant_monitor_"


class SelfMetrics:
    """`suites` gives those of the moment. All methods may be called from any thread."""

    def __init__(self, overlaps: Overlaps, suites: Callable[[], Collection[str]]) -> None:
        self._overlaps = overlaps
        self._suites = suites
        self._pings = Counter(f"{PREFIX}dead_man_pings", "Pings of the dead man's switch.", ("result",), registry=None)
        for result in ("ok", "failed"):  # Prometheus cannot see the first step of a series that appears
            self._pings.labels(result)

    def count_ping(self, *, is_ok: bool) -> None:
        """Count a ping by what came of it."""
        self._pings.labels("ok" if is_ok else "failed").inc()

    def families(self) -> Iterator[Metric]:
        """Every family of this moment."""
        text = "Slots that were skipped because a check of the suite still ran."
        family = CounterMetricFamily(f"{PREFIX}check_overlaps", text, labels=("suite",))
        for suite, count in self._overlaps.totals(self._suites()).items():
            family.add_metric((suite,), count)
        yield family
        yield from self._pings.collect()
