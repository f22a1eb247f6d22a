"""The engine as a process of its own on a Unix socket. Knows nothing of what is inside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.benchmarks.engine.client import Ask, play
from tests.benchmarks.engine.figures import Run, Turn
from tests.benchmarks.engine.machine import cpu_seconds_of
from tests.benchmarks.engine.workload import TEMPERATURE, TOP_P, Workload
from tests.fixtures.models import EngineChild, running_engine

COUNTER = "assistant_monitor_engine_{}_tokens_total"
REQUEST_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Ours:
    """A running engine."""

    child: EngineChild

    def run(self, work: Workload, *, only: Iterable[int] | None = None, temperature: float = TEMPERATURE) -> Run:
        """Play a workload through the engine, all of its conversations at once or `only` those."""
        return asyncio.run(self._run(work, only, temperature))

    def counted(self, kind: str) -> float | None:
        """The engine's own count of tokens `prefilled`, `reused` or `decoded`; None when it does not export it."""
        text = self.child.client.get("/metrics").raise_for_status().text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return next((sample.value for sample in samples if sample.name == COUNTER.format(kind)), None)

    async def _run(self, work: Workload, only: Iterable[int] | None, temperature: float) -> Run:
        async with _asking(self.child.socket, temperature) as ask:
            return await play(ask, work, lambda: cpu_seconds_of(self.child.process.pid), only)


@contextlib.contextmanager
def our_engine(folder: Path, place: Path, *, threads: int, dtype: str) -> Iterator[Ours]:
    """An engine with the model of `folder`; its socket lies in `place`."""
    with running_engine(folder, place / f"{dtype}.sock", "--threads", str(threads), "--dtype", dtype) as child:
        yield Ours(child)


def start_to_first_token_seconds(folder: Path, place: Path, *, threads: int) -> float:
    """From the start of a process to the first token that it streams; the weights' files are there already."""
    body = {"prompt": list(range(1000, 1080)), "max_tokens": 4, "stream": True, "ignore_eos": True}
    began = time.perf_counter()
    with (
        our_engine(folder, place, threads=threads, dtype="float32") as ours,
        ours.child.client.stream("POST", "/v1/completions", json=body) as answer,
    ):
        for line in answer.raise_for_status().iter_lines():
            if line.startswith("data: ") and json.loads(line[6:])["choices"][0]["token_ids"]:
                return time.perf_counter() - began
    raise RuntimeError("the stream ended without a token")


@contextlib.asynccontextmanager
async def _asking(socket: Path, temperature: float) -> AsyncIterator[Ask]:
    transport = httpx.AsyncHTTPTransport(uds=str(socket), limits=httpx.Limits(max_connections=None))
    async with httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=REQUEST_SECONDS) as client:

        async def ask(prompt: list[int], length: int, seed: int) -> Turn:
            body = {"prompt": prompt, "max_tokens": length, "temperature": temperature, "top_p": TOP_P, "seed": seed}
            answer = await client.post("/v1/completions", json={**body, "ignore_eos": True})
            said = answer.raise_for_status().json()
            cached = said["usage"]["prompt_tokens_details"]["cached_tokens"]
            return Turn(len(prompt), tuple(said["choices"][0]["token_ids"]), cached)

        yield ask
