"""systemd's notify protocol (sd_notify(3)): tells the service manager how a process is, and nothing else.

The daemon speaks it, and an engine that is a service of its own; an engine that is the daemon's child is the
daemon's concern alone.

Without NOTIFY_SOCKET every call does nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping


class ServiceManager:
    """The other end of NOTIFY_SOCKET. `watchdog_seconds` is how often it wants a sign of life, None for never."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        wanted = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_seconds = int(wanted) / 1e6 if wanted.isdigit() and int(wanted) and is_ours else None

    def ready(self, status: str) -> None:
        """It does its work."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """It reads its configuration anew; `ready` says that it is done."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def starting(self, status: str, extend_seconds: float) -> None:
        """It is still starting, and will be for at least another `extend_seconds`."""
        self._send(f"STATUS={status}", f"EXTEND_TIMEOUT_USEC={int(extend_seconds * 1e6)}")

    def stopping(self) -> None:
        """It is about to end by itself."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """It makes progress."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
            try:
                notify.connect(self._address)
                notify.sendall("\n".join(lines).encode())
            except OSError:
                return  # the manager is gone or full; it will notice by itself
