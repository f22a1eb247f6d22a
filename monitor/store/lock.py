"""Who is running: the daemon's lock beside a SQLite file, and names of processes that can be found dead."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import socket
from functools import cache
from pathlib import Path

from monitor.errors import AlreadyRunning
from monitor.store.failures import no_file

_TOKEN = secrets.token_hex(4)


class FileLock:
    """An exclusive lock on `<database>.lock`, which holds the pid. The kernel frees it when the process dies."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; taking it again is allowed. Raises AlreadyRunning, or StoreUnavailable without a file."""
        if self._descriptor is not None:
            return
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise no_file(f"the lock file cannot be opened: {error}", error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise AlreadyRunning(f"already running (pid {pid}): it holds {self.path}") from error
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # a full disk keeps the pid from being told, not the lock from being ours
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def release(self) -> None:
        """Free the lock. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def process_name() -> str:
    """Our own process as `place:pid:token`; the token tells it from an earlier one that had the same pid."""
    return f"{_place()}:{os.getpid()}:{_TOKEN}"


def is_dead(process: str) -> bool:
    """Whether the process of that name is surely gone. False for one of another place: that cannot be known."""
    place, pid, token = process.rsplit(":", 2)
    if place != _place():
        return False
    if int(pid) == os.getpid():
        return token != _TOKEN
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@cache
def _place() -> str:
    """Where our pids mean something: this host since it was booted, in this container. Host names alone repeat."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        container = Path("/proc/self/ns/pid").readlink().name
    except OSError:  # no Linux: a place of our own, where nobody is ever found dead
        boot, container = _TOKEN, ""
    return f"{socket.gethostname()}/{boot}/{container}"
