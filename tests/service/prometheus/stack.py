"""The real Prometheus and Alertmanager on loopback, with the shipped files.

Changed are addresses, the places of secrets, and times: scrapes, evaluations and messages come every few seconds, and
chosen alerts fire after one, so that a test need not wait for minutes. Expressions, labels, texts, routes and
inhibitions are the shipped ones.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Container, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.fixtures.assistants import ScriptedAssistant
from tests.installed import installed
from tests.service.prometheus.shipped import ALERTMANAGER, PROMETHEUS, RULES, read_yaml

WAIT_SECONDS = 60.0
STOP_SECONDS = 10.0
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Server:
    """A program that answers on 127.0.0.1. `log` is where it writes."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str, **parameters: str) -> Any:
        """The document that it answers with."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", params=parameters, trust_env=False, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What Prometheus finds for an expression now."""
        return list(self.get("/api/v1/query", query=expression)["data"]["result"])

    def is_ready(self) -> bool:
        """Whether it answers."""
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/-/ready", trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == 200


def until(is_so: Callable[[], object], what: str) -> None:
    """Wait for something that other processes bring about."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(PAUSE_SECONDS)


@contextmanager
def running_prometheus(
    folder: Path, daemon_port: int, alertmanager_port: int, *, hasty: Container[str]
) -> Iterator[Server]:
    """Prometheus, scraping the daemon every second. The alerts in `hasty` fire after one second."""
    _write(folder / "rules.yml", _without_patience(read_yaml(RULES), hasty))
    addresses = {
        "daemon:9464": f"127.0.0.1:{daemon_port}",
        "alertmanager:9093": f"127.0.0.1:{alertmanager_port}",
        '"30s"': '"1s"',
    }
    config = _write(folder / "prometheus.yml", read_yaml(PROMETHEUS), addresses)
    program = installed("prometheus", "prometheus")
    options = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", "--rules.alert.resend-delay=5s")
    with _running(program, folder, *options) as server:
        yield server


@contextmanager
def running_alertmanager(folder: Path, *, slack: str, pagerduty: str, deadman: str) -> Iterator[Server]:
    """Alertmanager, sending to these addresses at once."""
    secrets = folder / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "slack_webhook_url").write_text(f"{slack}\n")
    (secrets / "pagerduty_routing_key").write_text("0123456789abcdef0123456789abcdef\n")
    config = read_yaml(ALERTMANAGER) | {"global": {"pagerduty_url": pagerduty}}
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    addresses = {"/run/secrets": str(secrets), "https://deadman.example.com/ping/assistant-monitor": deadman}
    path = _write(folder / "alertmanager.yml", config, addresses)
    program = installed("prometheus-alertmanager", "prometheus-alertmanager")
    options = (f"--config.file={path}", f"--storage.path={folder / 'data'}", "--cluster.listen-address=")
    with _running(program, folder, *options) as server:
        yield server


@contextmanager
def serving(*servers: ScriptedAssistant) -> Iterator[None]:
    """Scripted servers in a thread of their own, so that they answer while a test waits."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="scripted")
    thread.start()

    def run(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(STOP_SECONDS)

    try:
        for server in servers:
            run(server.start())
        yield
    finally:
        for server in servers:
            run(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def _running(program: Path, folder: Path, *options: str) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    path = folder / "log"
    with path.open("wb") as log:
        command = [str(program), *options, f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        server = Server(process, port, path)
        until(server.is_ready, f"{program.name} is ready")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _without_patience(rules: Any, hasty: Container[str]) -> Any:
    for group in rules["groups"]:
        for rule in group["rules"]:
            if rule["alert"] in hasty:
                rule["for"] = "1s"
    return rules


def _write(path: Path, document: Any, changes: dict[str, str] | None = None) -> Path:
    """The document as JSON, which is YAML too, with every one of these places changed."""
    text = json.dumps(document)
    for place, value in (changes or {}).items():
        assert place in text, f"{path.name} should hold {place}"
        text = text.replace(place, value)
    path.write_text(text)
    return path
