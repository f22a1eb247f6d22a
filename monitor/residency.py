"""How long the user model stays loaded: while somebody uses it and a while after, and again ahead of the next slot.

Knows nothing of checks, schedules or models. Users of this process are counted; those of other processes hold a lock on
a file, which the kernel frees when they die.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from monitor.errors import EngineFailure
from monitor.supervisor import EngineState, EngineSupervisor

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
LEAD_LOADS = 2
LEAD_MARGIN_SECONDS = 30.0


@dataclass(slots=True, kw_only=True)
class Residency:
    """Unloads `engine` when it was not used for `unload_after_seconds`, and loads it when it is wanted.

    `use_file` is what other processes lock with `using`. `next_use_seconds` tells how far off the next use is that is
    known of; ahead of it the engine is loaded by twice the time that it took last and a margin, by
    `most_lead_seconds` at most. `clock` is monotonic, in seconds.
    """

    engine: EngineSupervisor
    use_file: Path
    unload_after_seconds: float
    most_lead_seconds: float
    next_use_seconds: Callable[[], float | None]
    clock: Callable[[], float]
    _users: int = 0
    _used_at: float = field(init=False)
    _unloading: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Raises OSError when the file cannot be made."""
        self._used_at = self.clock()
        os.close(os.open(self.use_file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """The engine is ready inside and is not unloaded. Raises EngineFailure when it cannot be made ready."""
        self._users += 1
        try:
            async with self._unloading:
                pass  # one that has begun is awaited; with a user none begins
            await self.engine.load()
            yield
        finally:
            self._users -= 1
            self._used_at = self.clock()

    async def run(self) -> None:
        """Look again and again, until it is cancelled."""
        while True:
            try:
                await self.look()
            except EngineFailure as exc:
                log.error("event=engine_not_loaded error=%s", exc)
            except OSError as exc:
                log.error("event=engine_use_unknown error=%s", exc)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Load what is wanted soon, unload what was idle long enough. Raises EngineFailure."""
        if self._is_wanted_soon():
            if self.engine.state is not EngineState.READY:
                await self.engine.load()
            # The use itself begins a moment after it was due.
            self._used_at = self.clock()
            return
        async with self._unloading:
            if self._is_idle():
                await self._unload()

    async def _unload(self) -> None:
        with _locked(self.use_file, fcntl.LOCK_EX) as is_alone:
            if is_alone:
                await self.engine.unload()
            else:
                self._used_at = self.clock()

    def _is_wanted_soon(self) -> bool:
        ahead = self.next_use_seconds()
        return ahead is not None and ahead <= self._lead_seconds()

    def _lead_seconds(self) -> float:
        took = self.engine.load_seconds
        if took is None:
            return self.most_lead_seconds
        return min(self.most_lead_seconds, LEAD_LOADS * took + LEAD_MARGIN_SECONDS)

    def _is_idle(self) -> bool:
        """Only an engine that is ready: one that fails goes on trying, and is seen to fail."""
        idle_seconds = self.clock() - self._used_at
        return self.engine.state is EngineState.READY and not self._users and idle_seconds >= self.unload_after_seconds


@contextmanager
def using(use_file: Path) -> Iterator[bool]:
    """Whether the engine may be used from another process; if so, it is not unloaded inside."""
    if not os.access(use_file, os.R_OK):
        yield True  # whoever loaded the engine never unloads it, or it is out of our reach with its file
        return
    with _locked(use_file, fcntl.LOCK_SH) as is_held:
        yield is_held


@contextmanager
def _locked(path: Path, operation: int) -> Iterator[bool]:
    """Whether the lock was to be had at once; if so, it is held inside. A file that is gone is made anew."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        yield _lock(descriptor, operation)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
