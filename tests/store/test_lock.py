from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.errors import AlreadyRunning, StoreUnavailable
from monitor.store import Store
from monitor.store.lock import FileLock, is_dead, process_name

HOLD = """
import sys
from pathlib import Path
from monitor.store.lock import FileLock
FileLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_daemon_is_told_who_runs(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "monitor.db"), FileLock(tmp_path / "monitor.db")
    first.acquire()
    first.acquire()
    with pytest.raises(AlreadyRunning, match=rf"already running \(pid {os.getpid()}\)"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_killed_daemon_frees_the_lock(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "monitor.db")
    command = [sys.executable, "-c", HOLD, str(tmp_path / "monitor.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning, match=rf"pid {holder.pid}\)"):
            lock.acquire()
        holder.kill()
    lock.acquire()
    lock.release()


def test_a_lock_without_a_folder_is_an_unavailable_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="lock file"):
        FileLock(tmp_path / "none" / "monitor.db").acquire()


def test_only_sqlite_is_for_one_daemon_alone(store: Store, other: Store, url: str) -> None:
    store.lock()
    if url.startswith("sqlite"):
        with pytest.raises(AlreadyRunning):
            other.lock()
    else:
        other.lock()


def test_a_closed_store_frees_its_lock(url: str, other: Store) -> None:
    first = Store.open(url)
    first.lock()
    if url.startswith("sqlite"):
        with pytest.raises(AlreadyRunning):
            other.lock()
    first.close()
    other.lock()
    if url.startswith("sqlite"):
        late = Store.open(url)
        with pytest.raises(AlreadyRunning):
            late.lock()
        late.close()


def test_a_process_is_dead_when_it_is_gone_or_its_pid_is_anothers() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    place, _, _ = process_name().rsplit(":", 2)
    assert is_dead(f"{place}:{gone.pid}:0")
    assert is_dead(f"{place}:{os.getpid()}:earlier")


def test_a_process_that_lives_or_is_elsewhere_is_not_dead() -> None:
    place, _, _ = process_name().rsplit(":", 2)
    assert not is_dead(process_name())
    assert not is_dead(f"{place}:1:init")
    assert not is_dead(f"not-{place}:999999:x")
