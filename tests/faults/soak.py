"""Cycles of a daemon over a long time, and what they leave behind in its process.

`python -m tests.faults.soak [--cycles 5000]` prints one JSON object. Daemon, database (SQLite), senders, channels and
the web server are the real ones; the clock goes an hour a cycle, the user and the assistant are scripted, and Slack and
PagerDuty are on the loopback interface. In each twenty cycles the assistant is wrong in some, so an incident opens and
closes, one cycle in forty Slack is away, and once in a hundred cycles what is old is forgotten.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from monitor.check import Watched
from monitor.delivery import Sender
from monitor.demo.receivers import SLACK, Answer, Receivers
from monitor.http import HttpClient
from monitor.metrics import Metrics
from monitor.notify.pagerduty import PagerDuty
from monitor.notify.slack_bot import SlackBot
from monitor.store import Store, migrate
from monitor.web.health import Health
from monitor.web.operations import operations_app
from monitor.web.server import WebServer
from tests.fixtures.checking import BAD, GOOD, Checking
from tests.test_daemon import HOUR, Clockwork

PERIOD = 20
BAD_CYCLES = range(8, 12)
SLACK_AWAY = (Answer(closes=True), Answer(status=503), Answer(body={"ok": False, "error": "internal_error"}))
SCRAPE_EVERY = 10
FORGET_EVERY = 100
SAMPLES = 20
WATCHED = {"s": Watched(threshold=0.7, stale_after_seconds=7200.0)}


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process holds after some cycles."""

    cycle: int
    resident_bytes: int
    descriptors: int
    threads: int
    tasks: int
    objects: int


def sample(cycle: int) -> Sample:
    gc.collect()
    return Sample(
        cycle=cycle,
        resident_bytes=int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208
        threads=len(os.listdir("/proc/self/task")),  # noqa: PTH208
        tasks=len(asyncio.all_tasks()),
        objects=len(gc.get_objects()),
    )


class Soak:
    """A daemon, driven cycle by cycle."""

    def __init__(self, store: Store, receivers: Receivers, http: HttpClient) -> None:
        self.store, self.receivers = store, receivers
        self.checking = Checking(store)
        self.clockwork = Clockwork(self.checking)
        bot = SlackBot(token="xoxb-1", destination="#a", base_url=receivers.slack_api_url, clock=self.now)
        pager = PagerDuty(http, routing_key="r", url=receivers.pagerduty_url, clock=self.now)
        self.sender = Sender(store, {"slack": bot, "pagerduty": pager}, owner="me", clock=self.now)
        self.metrics = Metrics(suites=WATCHED, channels=("slack", "pagerduty"))
        self.daemon = replace(self.clockwork.daemon(), sender=self.sender, publish=self.publish)
        self.told: Counter[str] = Counter()

    def now(self) -> datetime:
        """The clock of everything here."""
        return self.clockwork.at

    async def publish(self) -> None:
        self.metrics.publish(await self.store.offload(self.store.snapshot, WATCHED, now=self.now()))

    async def cycle(self, number: int) -> None:
        """One slot: a check, its messages, and sometimes what a daemon does more seldom."""
        self.clockwork.at += HOUR
        self.checking.answers(BAD if number % PERIOD in BAD_CYCLES else GOOD)
        if number % (2 * PERIOD) == BAD_CYCLES[0]:
            self.receivers.answer(SLACK, SLACK_AWAY[number // (2 * PERIOD) % len(SLACK_AWAY)])
        await self.daemon.tick()
        await asyncio.gather(*self.daemon.running)
        await self.sender.drain(5.0)
        if number % FORGET_EVERY == 0:
            await self.daemon.forget_old()
        self.told.update(told["kind"] for told in self.receivers.take_deliveries())


async def soak(cycles: int, folder: Path) -> dict[str, object]:
    """The figures of a run."""
    url = f"sqlite:///{folder / 'monitor.sqlite3'}"
    migrate.upgrade(url)
    store, http = Store.open(url), HttpClient()
    samples, began = [], time.monotonic()
    with Receivers() as receivers:
        run = Soak(store, receivers, http)
        web = WebServer(operations_app(run.metrics, lambda: FINE, lambda: FINE), host="127.0.0.1", port=0)
        web.start()
        try:
            for number in range(1, cycles + 1):
                await run.cycle(number)
                if number % SCRAPE_EVERY == 0:
                    await run.publish()
                    await asyncio.to_thread(scrape, web.address[1])
                if number % max(1, cycles // SAMPLES) == 0:
                    samples.append(sample(number))
        finally:
            web.stop()
            await http.aclose()
    figures = {
        "soak_cycles": cycles,
        "soak_seconds": round(time.monotonic() - began, 1),
        "soak_checks": sum(store.snapshot(WATCHED, now=run.now()).checks.values()),
        "soak_opens": run.told["open"],
        "soak_resolves": run.told["resolve"],
        "soak_samples": [asdict(one) for one in samples],
    }
    store.close()
    return figures


FINE = Health(ok=True, reason="ok")


def scrape(port: int) -> None:
    """As Prometheus does."""
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).raise_for_status()
    assert list(text_string_to_metric_families(answer.text))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=5000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(soak(options.cycles, Path(folder)))))


if __name__ == "__main__":
    main()
