"""A real daemon in a process of its own, its configuration, and what can be asked of it from outside."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from monitor.check import CheckRecord
from monitor.errors import SchemaMismatch
from monitor.store import Store

ROOT = Path(__file__).parents[2]
WAIT_SECONDS = 120.0

CONFIG = """
app: assistant-monitor
environment: test
state_dir: .
simulator: {simulator}
assistants:
  scripted: {{url: "{assistant}", turn_timeout: 5s, conversation_timeout: 60s}}
suites:
  shop: {{assistant: scripted, intents: intents.yaml, schedule: {{every: 1s}}, rounds: 1, timeout: 60s}}
alerting: {{rule: mean, threshold: 0.7, recovery_checks: 2}}
notify: {notify}
server: {{metrics: "127.0.0.1:0", pages: "127.0.0.1:0"}}
logging: {{level: info, format: text}}
"""
INTENTS = """
intents:
  - id: how-long
    description: You are a user who wants to know something about a shop.
    script: [how long can shoes be returned, and how long does that take]
    max_turns: 3
    checklist: [{id: days, kind: required_fact, patterns: [thirty days], critical: true}]
  - id: what-cost
    description: You are a user who wants to know something about a shop.
    script: [what does that cost me, ok and what else is there]
    max_turns: 3
    checklist: [{id: days, kind: required_fact, patterns: [thirty days], critical: true}]
"""


def tiny_userlm(folder: Path, servers: str = "[]") -> str:
    """`simulator` for a checkpoint of UserLM's shape on a processor."""
    return f"{{kind: userlm, model: {{name: {folder}, device: cpu, dtype: float32}}, servers: {servers}, " + (
        "engine: {threads: 1, max_slots: 8, max_batch_tokens: 256}, sampling: {max_tokens: 40}}"
    )


def write_config(folder: Path, assistant: str, simulator: str = "{kind: scripted}", notify: str = "{}") -> Path:
    """A suite that is due every second."""
    (folder / "intents.yaml").write_text(INTENTS)
    path = folder / "monitor.yaml"
    path.write_text(CONFIG.format(assistant=assistant, simulator=simulator, notify=notify))
    return path


@dataclass
class DaemonProcess:
    """`assistant-monitor run` (or another command that goes on), its log in `log`. `module`: what stands for it."""

    config: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    command: str = "run"
    log_name: str = "daemon.log"
    module: str = "monitor"
    arguments: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.log = self.config.parent / self.log_name
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, self.command, "--config", str(self.config), *self.arguments],
                cwd=ROOT,
                env={**os.environ, "HF_HUB_OFFLINE": "1", **self.environment},
                stderr=log,
                stdout=log,
            )

    def __enter__(self) -> DaemonProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    async def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait for something that the daemon will bring about."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not await asyncio.to_thread(is_so):
            assert self.process.poll() is None, f"the daemon ended with {self.process.returncode}: {self.said()}"
            assert time.monotonic() < deadline, f"not in time: {what}; {self.said()}"
            await asyncio.sleep(0.05)

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-3000:]

    def get(self, path: str, *, page: bool = False) -> httpx.Response | None:
        """The answer of its metrics listener, or of its pages; None while it does not listen."""
        ports = self._ports()
        return httpx.get(f"http://127.0.0.1:{ports[1 if page else 0]}{path}", trust_env=False) if ports else None

    def post(self, path: str, document: object) -> httpx.Response:
        """The answer of its pages' listener."""
        return httpx.post(f"http://127.0.0.1:{self._ports()[1]}{path}", json=document, trust_env=False)

    def _ports(self) -> list[str]:
        """Those of metrics and pages; none while one of them does not listen."""
        ports = re.findall(r"web_server_listening host=127\.0\.0\.1 port=(\d+)", self.log.read_text())
        return ports if len(ports) >= 2 else []

    def is_ready(self) -> bool:
        """What `/readyz` says."""
        answer = self.get("/readyz")
        return answer is not None and answer.status_code == 200

    def children(self) -> list[int]:
        """Process ids of its children: its engine."""
        try:
            listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return []
        return [int(pid) for pid in listed]

    def checks(self) -> list[CheckRecord]:
        """What it stored, newest first; nothing while there is no database yet."""
        return stored_checks(self.config.parent / "monitor.sqlite3")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the exit code."""
        self.process.send_signal(number)
        return await self.wait()

    async def wait(self) -> int:
        """Its exit code, once it ended by itself."""
        return await asyncio.to_thread(self.process.wait, 60)


def stored_checks(database: Path) -> list[CheckRecord]:
    """What a daemon stored in this file, newest first; nothing while there is no database yet."""
    try:
        store = Store.open(f"sqlite:///{database}")
    except SchemaMismatch:
        return []
    try:
        return store.checks()
    finally:
        store.close()


def maps(pid: int) -> str:
    """The libraries that a process has in memory."""
    return Path(f"/proc/{pid}/maps").read_text()
