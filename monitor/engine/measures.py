"""What the engine counts about itself, for `/metrics`. Knows nothing of how requests are served."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

PREFIX = "assistant_monitor_engine_"
STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Measures:
    """The metrics of one engine, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(f"{PREFIX}requests", "Requests by how they ended.", ["result"], registry=self.registry)
        for result in ("stop", "length", "refused", "cancelled", "expired", "failed"):
            self.requests.labels(result)
        self.prompt_tokens = Counter(f"{PREFIX}prompt_tokens", "Tokens of prompts.", registry=self.registry)
        self.cached_tokens = Counter(
            f"{PREFIX}cached_tokens", "Tokens of prompts that were not computed again.", registry=self.registry
        )
        self.generated_tokens = Counter(f"{PREFIX}generated_tokens", "Tokens generated.", registry=self.registry)
        self.step_seconds = Histogram(
            f"{PREFIX}step_seconds", "How long a step took.", buckets=STEP_SECONDS, registry=self.registry
        )
        self.step_tokens = Counter(f"{PREFIX}step_tokens", "Tokens computed by all steps.", registry=self.registry)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Export a value that is read when somebody looks."""
        Gauge(f"{PREFIX}{name}", text, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
