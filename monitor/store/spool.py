"""Where entries wait while the database is away: one file each, bounded, written whole or not at all; where no file
can be written, in bounded memory. What finds no room, and what was damaged, is lost and counted.

It knows bytes and files, not what is in them. Safe to use from several threads; daemons that share a folder each
take a part of it that no other holds.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import RLock

log = logging.getLogger(__name__)

MAX_ENTRIES = 64
MAX_BYTES = 64 * 2**20
MAX_BYTES_IN_MEMORY = 16 * 2**20
MAX_PARTS = 16
_MAGIC = b"assistant-monitor spool 1 "
_SUFFIX, _HALF, _DAMAGED = ".entry", ".half", ".damaged"
_DAMAGED_KEPT = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """What waits under a name; names sort in the order in which entries were added. `path` None: in memory only."""

    name: str
    payload: bytes = field(repr=False)
    path: Path | None = None


@dataclass(slots=True)
class Spool:
    """At most `max_entries` entries of `max_bytes` in all (in memory `max_bytes_in_memory`). `lost` counts entries."""

    root: Path
    max_entries: int = MAX_ENTRIES
    max_bytes: int = MAX_BYTES
    max_bytes_in_memory: int = MAX_BYTES_IN_MEMORY
    lost: int = field(default=0, init=False)
    _folders: list[Path] = field(default_factory=list, init=False)
    _locks: list[int] = field(default_factory=list, init=False)
    _entries: dict[str, Entry] = field(default_factory=dict, init=False)
    _last_name: int = field(default=0, init=False)
    _guard: RLock = field(default_factory=RLock, init=False)

    def open(self) -> None:
        """Take every part of the folder that no other process holds, with what was left in it. Raises nothing: a
        folder that cannot be used now is tried again when there is something to write.
        """
        with self._guard:
            self._take_parts()
            for folder in self._folders:
                for path in sorted(folder.glob(f"*{_SUFFIX}")):
                    self._load(path)
                for path in sorted(folder.glob(f"*{_HALF}")):
                    self._set_aside(path)

    def close(self) -> None:
        """Leave the folder to others. What is in memory only is lost."""
        with self._guard:
            for descriptor in self._locks:
                os.close(descriptor)
            self._locks.clear()
            self._folders.clear()
            self._lose(sum(entry.path is None for entry in self._entries.values()), "the process ends")
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> list[Entry]:
        """All of them, oldest first."""
        with self._guard:
            return [self._entries[name] for name in sorted(self._entries)]

    def add(self, payload: bytes) -> str | None:
        """Keep it; its name. None, told and counted, where it finds no room."""
        with self._guard:
            self._last_name = max(self._last_name + 1, time.time_ns())
            entry = Entry(f"{self._last_name:020d}", payload)
            if len(self) >= self.max_entries or self._size() + len(payload) > self.max_bytes:
                self._lose(1, "the spool is full")
                return None
            return entry.name if self._put(entry) else None

    def change(self, name: str, payload: bytes) -> None:
        """Put another payload in the place of an entry; one that is gone meanwhile stays gone."""
        with self._guard:
            if name in self._entries:
                self._put(replace(self._entries[name], payload=payload))

    def remove(self, name: str) -> None:
        """Forget an entry: it was dealt with. Raises OSError where its file cannot be removed."""
        with self._guard:
            entry = self._entries.get(name)
            if entry and entry.path:
                entry.path.unlink(missing_ok=True)
                _sync(entry.path.parent)
            self._entries.pop(name, None)

    def lose(self, name: str, why: str) -> None:
        """Forget an entry that can never be dealt with: told and counted. Raises OSError like `remove`."""
        with self._guard:
            self.remove(name)
            self._lose(1, why)

    def _size(self) -> int:
        return sum(len(entry.payload) for entry in self._entries.values())

    def _put(self, entry: Entry) -> bool:
        """Write the file; where that fails, keep it in memory, beside an older file if there is one."""
        try:
            path = entry.path or self._folder() / f"{entry.name}{_SUFFIX}"
            _write(path, _MAGIC + hashlib.sha256(entry.payload).hexdigest().encode() + b"\n" + entry.payload)
        except OSError as exc:
            log.error("spool_not_written entry=%s error=%s", entry.name, exc)
            others = [e for e in self._entries.values() if e.path is None and e.name != entry.name]
            if entry.path is None and sum(len(e.payload) for e in [*others, entry]) > self.max_bytes_in_memory:
                self._lose(1, "no file can be written, and memory for it is used up")
                return False
        else:
            entry = replace(entry, path=path)
        self._entries[entry.name] = entry
        return True

    def _folder(self) -> Path:
        if not self._folders:
            self._take_parts()
        if not self._folders:
            raise OSError(f"{self.root} cannot be used")
        return self._folders[0]

    def _take_parts(self) -> None:
        """Lock what is there, or make a part of our own."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            there = sorted(path for path in self.root.iterdir() if path.is_dir())
            new = (self.root / f"{number:02d}" for number in range(MAX_PARTS))
            for folder in [*there, *(path for path in new if path not in there)]:
                if folder in there or not self._folders:
                    self._take(folder)
        except OSError as exc:
            log.error("spool_not_usable folder=%s error=%s", self.root, exc)

    def _take(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return
        self._locks.append(descriptor)
        self._folders.append(folder)

    def _load(self, path: Path) -> None:
        try:
            payload = _unwrapped(path.read_bytes())
        except OSError as exc:
            log.error("spool_not_read file=%s error=%s", path, exc)
            return
        if payload is None:
            self._set_aside(path)
        else:
            self._entries[path.stem] = Entry(path.stem, payload, path)
            self._last_name = max(self._last_name, int(path.stem) if path.stem.isdecimal() else 0)

    def _set_aside(self, path: Path) -> None:
        self._lose(1, f"{path} is damaged; it is kept as *{_DAMAGED}")
        with contextlib.suppress(OSError):
            path.replace(path.with_suffix(_DAMAGED))
            for old in sorted(path.parent.glob(f"*{_DAMAGED}"))[:-_DAMAGED_KEPT]:
                old.unlink()

    def _lose(self, count: int, why: str) -> None:
        if count:
            self.lost += count
            log.error("spool_lost count=%d reason=%s", count, why)


def _unwrapped(content: bytes) -> bytes | None:
    """The payload; None where a byte of the file is missing or wrong."""
    head, _, payload = content.partition(b"\n")
    return payload if head == _MAGIC + hashlib.sha256(payload).hexdigest().encode() else None


def _write(path: Path, content: bytes) -> None:
    """All of it on the disk under its name, or nothing. Raises OSError."""
    half = path.with_suffix(_HALF)
    try:
        with half.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.chmod(0o600)
        half.replace(path)
        _sync(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            half.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
