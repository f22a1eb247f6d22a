"""What the engine counts about itself, for `/metrics`. Knows nothing of how requests are served."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

PREFIX = "assistant_monitor_engine_"
STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
QUEUE_SECONDS = (0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Measures:
    """The metrics of one engine, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(f"{PREFIX}requests", "Requests by how they ended.", ["result"], registry=self.registry)
        for result in ("stop", "length", "scored", "refused", "cancelled", "expired", "failed"):
            self.requests.labels(result)
        self.prefilled_tokens = self._counter("prefilled_tokens", "Tokens of prompts that were computed.")
        self.reused_tokens = self._counter("reused_tokens", "Tokens of prompts that were not computed again.")
        self.decoded_tokens = self._counter("decoded_tokens", "Tokens generated.")
        self.restarts = self._counter("restarts", "Times that whoever keeps this engine alive started it again.")
        self.step_seconds = self._histogram("step_seconds", "How long a step took.", STEP_SECONDS)
        self.step_rows = self._histogram("step_rows", "Requests computed together in a step.", ROWS)
        self.queue_seconds = self._histogram("queue_seconds", "How long a request waited for a slot.", QUEUE_SECONDS)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(PREFIX + name, text, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(PREFIX + name, text, buckets=buckets, registry=self.registry)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Export a value that is read when somebody looks."""
        Gauge(f"{PREFIX}{name}", text, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
