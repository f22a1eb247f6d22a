"""The demo as a process of its own that stays up, and what its database knows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue

from monitor.check import CheckRecord, CheckStatus, Conversation
from monitor.incident import Incident
from monitor.store import Store
from tests.e2e.daemon import ROOT

START_SECONDS = 600.0
_PAGES = re.compile(r"^conversations +(http\S+)$", re.MULTILINE)
_DATABASE = re.compile(r"^database +(\S+)$", re.MULTILINE)
STAYS = "It stays up"


@dataclass(frozen=True, slots=True)
class DemoSite:
    """Where the pages are, and what they show."""

    url: str
    database: Path
    degraded: CheckRecord
    healthy: CheckRecord
    worst: Conversation
    quoted: Conversation
    incident: Incident


@contextmanager
def run_demo_site(folder: Path, *, cache: Path) -> Iterator[DemoSite]:
    """The demo while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "monitor", "demo", "--stay", "--seed", "1", "--folder", str(folder)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "ASSISTANT_MONITOR_CACHE": str(cache), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: Queue[str | None] = Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        said = _until_it_stays(lines)
        yield _site(said)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        reader.join(10)
        assert process.stdout is not None
        process.stdout.close()


def _read(process: subprocess.Popen[str], lines: Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def _until_it_stays(lines: Queue[str | None]) -> str:
    said: list[str] = []
    while not said or not said[-1].startswith(STAYS):
        try:
            line = lines.get(timeout=START_SECONDS)
        except Empty:
            line = None
        assert line is not None, f"the demo did not come to its end: {''.join(said)}"
        said.append(line)
    return "".join(said)


def _site(said: str) -> DemoSite:
    pages, database = _PAGES.search(said), _DATABASE.search(said)
    assert pages and database, said
    store = Store.open(f"sqlite:///{database[1]}")
    try:
        checks = store.checks()
        degraded = next(check for check in checks if check.status is CheckStatus.DEGRADED)
        healthy = next(check for check in checks if check.status is CheckStatus.HEALTHY)
        return DemoSite(
            url=pages[1],
            database=Path(database[1]),
            degraded=degraded,
            healthy=healthy,
            worst=_worst(store.conversations(degraded.id)),
            quoted=next(one for one in store.conversations(healthy.id) if _has_evidence(one)),
            incident=store.incidents()[0],
        )
    finally:
        store.close()


def _worst(conversations: Sequence[Conversation]) -> Conversation:
    return min(conversations, key=lambda one: (one.value is None, one.value or 0.0, one.id))


def _has_evidence(conversation: Conversation) -> bool:
    return any(item.evidence for item in conversation.score.items)
