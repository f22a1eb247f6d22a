"""What a daemon without an engine costs while it waits for its next check.

`python -m tests.benchmarks.idle [--seconds 60] [--scrapes 200]` prints a table and, as the last line, one JSON object.
The daemon has `config/monitor.yaml` but for a scripted user, loopback parties, and one check at once but no second.
That check fails, so that Slack and PagerDuty have been told when the idling begins.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from ruamel.yaml import YAML

from monitor.demo.receivers import PAGERDUTY, SLACK, Receivers
from tests.benchmarks.engine.machine import cpu_seconds_of
from tests.e2e.daemon import ROOT, WAIT_SECONDS, DaemonProcess
from tests.fixtures.assistants import ScriptedAssistant, says

POLL_SECONDS = 0.01
ACCEPT = {
    "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
"""What Prometheus asks with."""
SECRETS = {"assistant": "sk-1234567890abcdef", "slack": "xoxb-1234567890abcdef", "pagerduty": "1234567890abcdef"}

Figures = Mapping[str, float]


def write_config(folder: Path, assistant_url: str, receivers: Receivers) -> Path:
    """The production configuration, made to run on this machine alone. A database without slots is due at once."""
    for name, secret in SECRETS.items():
        (folder / name).write_text(secret)
    yaml = YAML()
    settings = yaml.load((ROOT / "config" / "monitor.yaml").read_text())
    settings["state_dir"] = "."
    settings["simulator"] = {"kind": "scripted"}
    assistant = settings["assistants"]["production"]
    assistant |= {"url": assistant_url, "api_key_file": "assistant", "kill_switch_file": "stop"}
    del assistant["requests_per_second"]
    settings["suites"]["baseline"] |= {
        "intents": str(ROOT / "config" / "intents" / "baseline.yaml"),
        "schedule": {"every": "300d"},
    }
    settings["notify"]["slack"] |= {"token_file": "slack", "base_url": receivers.slack_api_url}
    settings["notify"]["pagerduty"] |= {"routing_key_file": "pagerduty", "url": receivers.pagerduty_url}
    settings["server"] = {"metrics": "127.0.0.1:0", "pages": "127.0.0.1:0"}
    settings["logging"] = {"level": "info", "format": "text"}
    path = folder / "monitor.yaml"
    yaml.dump(settings, path)
    return path


async def until_ready(daemon: DaemonProcess) -> int:
    """The port of the metrics listener, once `/readyz` there says 200."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        said = re.search(r"web_server_listening host=127\.0\.0\.1 port=(\d+)", daemon.log.read_text())
        if said and await asyncio.to_thread(_status, int(said[1]), "/readyz") == http.client.OK:
            return int(said[1])
        if daemon.process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the daemon is not ready: {daemon.said()}")
        await asyncio.sleep(POLL_SECONDS)


def _status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def memory_mb(pid: int) -> dict[str, float]:
    """Resident memory of a process: now, its own and its share of what others map too, and the most there was."""
    status = Path(f"/proc/{pid}/status").read_text()
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    lines = {"rss_mb": (status, "VmRSS"), "pss_mb": (rollup, "Pss"), "peak_rss_mb": (status, "VmHWM")}
    return {key: round(_kib(text, name) * 1024 / 1e6, 1) for key, (text, name) in lines.items()}


def _kib(text: str, name: str) -> int:
    line = re.search(rf"^{name}:\s+(\d+) kB$", text, re.M)
    assert line, f"no {name} here"
    return int(line[1])


def scrape_milliseconds(port: int, scrapes: int) -> tuple[list[float], int]:
    """How long each of so many scrapes took, one after the other on one connection, and the bytes of the last."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    taken, body = [], b""
    try:
        for _ in range(scrapes):
            began = time.perf_counter()
            connection.request("GET", "/metrics", headers=ACCEPT)
            answer = connection.getresponse()
            body = answer.read()
            taken.append((time.perf_counter() - began) * 1000)
            assert answer.status == http.client.OK
    finally:
        connection.close()
    return taken, len(body)


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[tuple[DaemonProcess, int, float]]:
    """A daemon whose only check is over and told, its metrics port, and the seconds that it took to be ready."""
    assistant = ScriptedAssistant(lambda _: says("I would rather not say."))
    await assistant.start()
    try:
        with Receivers() as receivers:
            config = write_config(folder, assistant.url, receivers)
            began = time.perf_counter()
            with DaemonProcess(config) as daemon:
                port = await until_ready(daemon)
                start_seconds = time.perf_counter() - began
                tell(f"ready after {start_seconds:.2f} s; the first check runs")
                both = {SLACK, PAGERDUTY}
                await daemon.until(lambda: both <= {r.channel for r in receivers.received}, "both channels to be told")
                yield daemon, port, start_seconds
                await daemon.stop()
    finally:
        await assistant.stop()


async def measure(folder: Path, idle_seconds: float, scrapes: int) -> Figures:
    """All figures of one daemon."""
    async with started(folder) as (daemon, port, start_seconds):
        tell(f"it idles; {idle_seconds:g} s of it are measured")
        pid = daemon.process.pid
        began, cpu_began = time.perf_counter(), cpu_seconds_of(pid)
        await asyncio.sleep(idle_seconds)
        cpu_percent = 100 * (cpu_seconds_of(pid) - cpu_began) / (time.perf_counter() - began)
        memory = memory_mb(pid)
        tell(f"{scrapes} scrapes of /metrics")
        taken, size = await asyncio.to_thread(scrape_milliseconds, port, scrapes)
        return {
            **memory,
            "cpu_percent": round(cpu_percent, 2),
            "start_seconds": round(start_seconds, 2),
            "metrics_p50_ms": round(statistics.median(taken), 2),
            "metrics_p95_ms": round(statistics.quantiles(taken, n=20, method="inclusive")[-1], 2),
            "metrics_bytes": size,
            "conversations": daemon.checks()[0].planned,
            "idle_seconds": idle_seconds,
            "load_average": round(os.getloadavg()[0], 2),
        }


def tell(what: str) -> None:
    """Progress, apart from the figures."""
    print(what, file=sys.stderr, flush=True)


def table(figures: Figures) -> str:
    """For people."""
    return "\n".join(f"{name:<16}{value:>10g}" for name, value in figures.items())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long the idling is watched")
    parser.add_argument("--scrapes", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder), options.seconds, options.scrapes))
    print(table(figures))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
