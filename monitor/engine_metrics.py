"""What engines count about themselves, read from their `/metrics` and kept for ours.

Knows no address and no protocol: it is given names and ways to fetch a page. A page that does not come, or is no
engine's of ours, leaves nothing behind, never the numbers of the time before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from monitor.errors import HttpFailure

log = logging.getLogger(__name__)

PREFIX = "assistant_monitor_engine_"
REFRESH_SECONDS = 15.0
MOST_SAMPLES = 1000
"""What one server may add to our page; an engine has some 60."""
TYPES = frozenset({"counter", "gauge", "histogram"})

Fetch = Callable[[], Awaitable[str]]
"""The page as text, of a size that is bounded. Raises HttpFailure."""


class EngineMetrics:
    """The families of every engine among `sources` (name and how its page is fetched), each series with its name.

    `families` may be called from any thread.
    """

    def __init__(self, sources: Sequence[tuple[str, Fetch]] = ()) -> None:
        self._sources = sources
        self._found: dict[str, tuple[Metric, ...]] = {}

    async def keep_fresh(self) -> None:
        """Read every page again and again, until it is cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Read every page once."""
        await asyncio.gather(*(self._read(name, fetch) for name, fetch in self._sources))

    def families(self) -> Iterator[Metric]:
        """The families of all engines together. Where two engines differ in a family's type, the first one counts."""
        merged: dict[str, Metric] = {}
        for name in dict(self._sources):
            for family in self._found.get(name, ()):
                into = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                if into.type == family.type:
                    into.samples += family.samples
        yield from merged.values()

    async def _read(self, name: str, fetch: Fetch) -> None:
        try:
            self._found[name] = parse(await fetch(), name)
        except (HttpFailure, ValueError, OverflowError) as exc:
            if self._found.pop(name, ()):
                log.info("event=engine_metrics_away server=%s error=%s", name, exc)


def parse(page: str, server: str) -> tuple[Metric, ...]:
    """The families of ours in a page, their samples with the label `server` and without times.

    Raises ValueError when it is not in the text format, or has more samples than an engine of ours.
    """
    found: dict[str, Metric] = {}
    samples: dict[tuple[str, frozenset[tuple[str, str]]], Sample] = {}
    for family in _families(page):
        if family.type not in TYPES or family.name in found:
            continue
        found[family.name] = kept = Metric(family.name, family.documentation, family.type)
        for sample in family.samples:
            labels = {**sample.labels, "server": server}
            key = sample.name, frozenset(labels.items())
            if key not in samples:  # a series that comes twice makes Prometheus refuse the whole page
                samples[key] = Sample(sample.name, labels, float(sample.value))
                kept.samples.append(samples[key])
        if len(samples) > MOST_SAMPLES:
            raise ValueError(f"more than {MOST_SAMPLES} samples")
    return tuple(found.values())


def _families(page: str) -> list[Metric]:
    """What the parser makes of the lines that are ours; others are not looked at: vLLM has thousands."""
    ours = [line for line in page.split("\n") if line.startswith((PREFIX, f"# HELP {PREFIX}", f"# TYPE {PREFIX}"))]
    try:
        return list(text_string_to_metric_families("\n".join(ours)))
    except (IndexError, KeyError) as exc:
        raise ValueError(f"not in the text format: {exc!r}") from exc
