"""When the engine's process ends, and what it leaves behind: its parent, its socket, its watch over hanging steps.

Knows nothing of models or requests.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from monitor.errors import EngineFailure

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.5


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to end this process when the thread that started it ends. Only a parent can be followed so."""
    if os.getppid() == parent_pid:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def is_orphaned(parent_pid: int, *, was_child: bool) -> bool:
    """Whether the process that this one belongs to is gone."""
    if was_child:
        return os.getppid() != parent_pid
    try:
        os.kill(parent_pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def watch(look: Callable[[], None]) -> None:
    """Call `look` again and again in a thread of its own, until the process ends."""

    def repeat() -> None:
        while True:
            look()
            time.sleep(POLL_SECONDS)

    threading.Thread(target=repeat, name="engine-watch", daemon=True).start()


def claim_socket(path: Path) -> None:
    """Make room for a socket at `path`. Raises EngineFailure when something alive, or not a socket, is there."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise EngineFailure(f"{path} is there and is not a socket: it is left alone")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as exc:
            raise EngineFailure(f"the socket {path} cannot be used: {exc}") from exc
    raise EngineFailure(f"another engine listens on {path}")


def listen_unix(path: Path) -> socket.socket:
    """A listening socket that only this user may open; what is at `path` can be connected to. Raises EngineFailure."""
    claim_socket(path)
    server = socket.socket(socket.AF_UNIX)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    before = os.umask(0o177)
    try:
        server.bind(str(unfinished))
        server.listen()
        unfinished.rename(path)
    except OSError as exc:
        server.close()
        unfinished.unlink(missing_ok=True)
        raise EngineFailure(f"cannot listen on {path}: {exc}") from exc
    finally:
        os.umask(before)
    return server


def listen_tcp(host: str, port: int) -> socket.socket:
    """A bound TCP socket. Raises EngineFailure."""
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as exc:
        raise EngineFailure(f"cannot listen on {host}:{port}: {exc}") from exc
    # asyncio sets it only on sockets made with the protocol's number; what is accepted inherits it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
