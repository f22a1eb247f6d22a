"""systemd's notify protocol over a real datagram socket."""

from __future__ import annotations

import os
import re
import socket
import time
from pathlib import Path

import pytest

from monitor.sdnotify import ServiceManager


@pytest.mark.parametrize("abstract", [False, True])
def test_every_word_reaches_the_manager(tmp_path: Path, *, abstract: bool) -> None:
    address = f"@assistant-monitor-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:] if abstract else address)
        manager = ServiceManager({"NOTIFY_SOCKET": address})
        manager.starting("loading", 60)
        manager.ready("watching")
        manager.alive()
        manager.reloading()
        manager.stopping()
        heard = [listening.recv(4096).decode() for _ in range(5)]
    reloading = heard.pop(3)
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", reloading)
    assert 0 <= time.monotonic() - int(reloading.rpartition("=")[2]) / 1e6 < 60
    assert heard == [
        "STATUS=loading\nEXTEND_TIMEOUT_USEC=60000000",
        "READY=1\nSTATUS=watching",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_is_ours_only_when_it_says_so(environment: dict[str, str], seconds: float | None) -> None:
    assert ServiceManager(environment).watchdog_seconds == seconds


def test_without_a_manager_or_with_a_dead_one_nothing_happens(tmp_path: Path) -> None:
    ServiceManager({}).ready("x")
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("x")
    assert list(tmp_path.iterdir()) == []
