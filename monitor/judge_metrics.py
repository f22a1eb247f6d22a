"""What the judge's requests come to, in figures of this process: results, seconds, tokens, cost.

Knows no server and no question. A figure that nobody states (tokens, a cost without prices) stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import Metric

from monitor.judge_usage import JudgeUsage
from monitor.score import JudgeResult

PREFIX = "assistant_monitor_judge_"
SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120)
NOT_SENT = JudgeResult.BUDGET


class JudgeMetrics:
    """The judge's families. `has_prices`: the cost is shown; `is_shown`: there is a judge at all.

    All methods may be called from any thread.
    """

    def __init__(self, *, has_prices: bool = False, is_shown: bool = True) -> None:
        self._requests = Counter(
            f"{PREFIX}requests", "Requests to the judge since the start.", ("result",), registry=None
        )
        self._seconds = Histogram(
            f"{PREFIX}request_duration_seconds", "Time of one request to the judge.", buckets=SECONDS, registry=None
        )
        self._tokens = Counter(
            f"{PREFIX}tokens", "Tokens that the judge's server states since the start.", ("kind",), registry=None
        )
        self._cost = Counter(
            f"{PREFIX}cost", "Cost of judging since the start, in the currency of the prices.", registry=None
        )
        self.has_prices = has_prices
        self.is_shown = is_shown
        # Every series is there from the start: Prometheus cannot see the first step of one that appears.
        for result in JudgeResult:
            self._requests.labels(result.value)
        for kind in ("prompt", "completion"):
            self._tokens.labels(kind)

    def observe(self, result: JudgeResult, seconds: float, usage: JudgeUsage | None) -> None:
        """Count one request."""
        self._requests.labels(result.value).inc()
        if result is not NOT_SENT:
            self._seconds.observe(seconds)
        if usage is None:
            return
        self._tokens.labels("prompt").inc(usage.prompt_tokens or 0)
        self._tokens.labels("completion").inc(usage.completion_tokens or 0)
        self._cost.inc(usage.cost or 0.0)

    def calls(self) -> tuple[float, float]:
        """The requests that failed, and all that were sent."""
        samples = [sample for family in self._requests.collect() for sample in family.samples]
        counts = {s.labels["result"]: s.value for s in samples if s.name.endswith("_total")}
        sent = sum(count for result, count in counts.items() if result != NOT_SENT)
        return sent - counts[JudgeResult.OK], sent

    def families(self) -> Iterator[Metric]:
        """Every family of this moment."""
        if self.is_shown:
            for family in (self._requests, self._seconds, self._tokens, *([self._cost] if self.has_prices else [])):
                yield from family.collect()
