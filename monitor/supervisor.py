"""Starts the engine's process, watches it and starts it again. Knows nothing of models or of what the engine is asked.

It never imports torch: the child does.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from monitor.engine.settings import EngineSettings, ExitCode
from monitor.errors import EngineFailure

log = logging.getLogger(__name__)

KEPT_LINES = 20
LINE_CHARACTERS = 2000
HOPELESS = (ExitCode.CANNOT_START, ExitCode.MISUSED)
HOPELESS_STARTS = 3


class EngineState(enum.StrEnum):
    """What can be expected of the engine now."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    UNLOADED = "unloaded"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the supervisor waits, in seconds.

    `startup` for the first healthy answer; `health_interval` between looks; `unhealthy` without a healthy answer makes
    a child count as hung; `backoff_first` doubles up to `backoff_most` with each restart, and begins anew when a child
    was healthy for `stable`; `stop` for a graceful end. `hopeless_starts` is a number: so many restarts in a row that
    end with "cannot start" are the end; None: they never are, once a child was ready.
    """

    startup: float = 900.0
    health_interval: float = 2.0
    unhealthy: float = 60.0
    backoff_first: float = 1.0
    backoff_most: float = 60.0
    stable: float = 300.0
    stop: float = 10.0
    hopeless_starts: int | None = HOPELESS_STARTS


@dataclass(slots=True)
class _Pulse:
    """When a child was first and last healthy, on the event loop's clock."""

    first: float | None = None
    last: float | None = None

    def beat(self, now: float) -> None:
        self.first = now if self.first is None else self.first
        self.last = now

    @property
    def healthy_seconds(self) -> float | None:
        return None if self.first is None or self.last is None else self.last - self.first


@dataclass(frozen=True, slots=True)
class _Life:
    """One child's life: how long it was healthy (None: never), its exit code (None: we ended it), why it ended."""

    healthy_seconds: float | None
    code: int | None
    why: str


class EngineSupervisor:
    """Keeps one engine child alive. `on_wait` is called with the seconds waited while a child is starting.

    `load_seconds` is how long the newest child took until it was ready; None before the first one was.
    """

    def __init__(
        self,
        command: Sequence[str],
        socket: Path,
        *,
        env: Mapping[str, str] | None = None,
        patience: Patience | None = None,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        self._command = tuple(command)
        self._socket = socket
        self._env = dict(os.environ if env is None else env)
        self._patience = patience or Patience()
        self._on_wait = on_wait or (lambda _: None)
        self._child: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._changed = asyncio.Condition()
        self.state = EngineState.STOPPED
        self.reason = ""
        self.restarts = 0
        self.load_seconds: float | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id while there is one."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    async def start(self) -> None:
        """Start the engine and wait until it is ready; from then on it is kept alive.

        Raises EngineFailure, with what the child said, when it cannot start or takes too long.
        """
        try:
            await self.load()
        except BaseException:
            await self.stop()
            raise

    async def load(self) -> None:
        """Start the engine if it is not kept alive now, and wait until it is ready.

        Raises EngineFailure when it cannot start or takes too long; it is tried again all the same where another start
        can help.
        """
        if self._task is None or self._task.done():
            self._note(EngineState.STARTING, "")
            self._task = asyncio.create_task(self._keep_alive(), name="engine-supervisor")
        try:
            async with asyncio.timeout(self._patience.startup):
                await self.wait_ready()
        except TimeoutError as exc:
            why = self.reason or f"not ready in {self._patience.startup:g} s{self._tail()}"
            raise EngineFailure(f"the engine cannot be started: {why}") from exc

    async def unload(self) -> None:
        """End the child on purpose, so that its memory is free; `load` brings it back."""
        await self._end(EngineState.UNLOADED, "the engine is unloaded")

    async def wait_ready(self) -> None:
        """Wait until the engine is ready. Raises EngineFailure when it will not become so."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.state not in (EngineState.STARTING, EngineState.RESTARTING))
        if self.state is not EngineState.READY:
            raise EngineFailure(self.reason or "the engine is stopped")

    async def stop(self) -> None:
        """End the child, gracefully if it lets us, and watch no more."""
        await self._end(EngineState.STOPPED, self.reason)

    async def _end(self, state: EngineState, reason: str) -> None:
        if self._task is not None:
            self._task.cancel()
            # Not awaited itself: its cancellation could not be told from our own.
            await asyncio.wait({self._task})
            self._task = None
        await self._enter(state, reason)
        await self._end_child()

    async def _keep_alive(self) -> None:
        hopeless, failures = 0, 0
        while True:
            life = await self._one_life()
            hopeless = hopeless + 1 if life.code in HOPELESS else 0
            bound = 1 if self.load_seconds is None else self._patience.hopeless_starts
            if bound is not None and hopeless >= bound:
                break
            failures = 1 if (life.healthy_seconds or 0.0) >= self._patience.stable else failures + 1
            self.restarts += 1
            delay = min(self._patience.backoff_first * 2 ** (failures - 1), self._patience.backoff_most)
            log.warning("event=engine_restart restarts=%d delay_seconds=%g reason=%s", self.restarts, delay, life.why)
            await self._enter(EngineState.RESTARTING, life.why)
            await asyncio.sleep(delay)
        log.error("event=engine_failed reason=%s", life.why)
        await self._enter(EngineState.FAILED, life.why)

    async def _one_life(self) -> _Life:
        """Run one child to its end."""
        self._lines.clear()
        try:
            child = self._child = await self._spawn()
        except OSError as exc:
            return _Life(None, ExitCode.CANNOT_START, f"{self._command[0]} cannot be run: {exc}")
        pulse = _Pulse()
        reading = asyncio.create_task(self._read_lines(child))
        watching = asyncio.create_task(self._watch(pulse))
        ended = asyncio.create_task(child.wait())
        try:
            await asyncio.wait({watching, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                why = await watching
                await self._end_child()
                return _Life(pulse.healthy_seconds, None, why)
            await asyncio.wait({reading}, timeout=1.0)
            return _Life(pulse.healthy_seconds, ended.result(), self._last_words(ended.result()))
        finally:
            for task in (reading, watching, ended):
                task.cancel()
            await asyncio.gather(reading, watching, ended, return_exceptions=True)

    async def _spawn(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._command,
            "--restarts",
            str(self.restarts),
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # A Ctrl-C at the daemon's terminal is the daemon's to handle.
            start_new_session=True,
        )

    async def _watch(self, pulse: _Pulse) -> str:
        """Look at the child's health until it counts as hung; says why it does."""
        clock = asyncio.get_running_loop().time
        began, patience = clock(), self._patience
        while True:
            healthy, now = await _is_healthy(self._socket, min(patience.unhealthy, 5.0)), clock()
            if healthy:
                if pulse.last is None:
                    self.load_seconds = now - began
                pulse.beat(now)
                await self._enter(EngineState.READY)
            elif pulse.last is None:
                self._on_wait(now - began)
                if now - began > patience.startup:
                    return f"the engine did not become ready in {patience.startup:g} s{self._tail()}"
            elif now - pulse.last > patience.unhealthy:
                return f"the engine gave no healthy answer for {patience.unhealthy:g} s"
            await asyncio.sleep(patience.health_interval)

    async def _end_child(self) -> None:
        child = self._child
        if child is None or child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            await asyncio.wait_for(child.wait(), self._patience.stop)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def _enter(self, state: EngineState, reason: str = "") -> None:
        async with self._changed:
            self._note(state, reason)
            self._changed.notify_all()

    def _note(self, state: EngineState, reason: str) -> None:
        if state is not self.state:
            log.info("event=engine_state state=%s", state)
        self.state, self.reason = state, reason

    async def _read_lines(self, child: asyncio.subprocess.Process) -> None:
        assert child.stderr is not None
        async for line in _lines(child.stderr):
            self._lines.append(line)
            log.info("event=engine_said pid=%d line=%s", child.pid, line)

    def _last_words(self, code: int) -> str:
        name = f" ({ExitCode(code).name.lower()})" if code in list(ExitCode) else ""
        return f"the engine ended with code {code}{name}{self._tail()}"

    def _tail(self) -> str:
        """What the child said last; the reason alone when it named one."""
        named = [line.split("reason=", 1)[1] for line in self._lines if "reason=" in line]
        words = named[-1] if named else " | ".join(list(self._lines)[-3:])
        return f": {words}" if words else ""


def engine_command(settings: EngineSettings) -> list[str]:
    """The command line that starts an engine with these settings; the supervisor adds how often it restarted it."""
    command = [sys.executable, "-m", "monitor.engine"]
    for field in fields(settings):
        value = getattr(settings, field.name)
        is_left_out = field.name == "restarts" or (field.name == "host" and settings.socket is not None)
        if value is not None and not is_left_out:
            command += [f"--{field.name.replace('_', '-')}", str(value)]
    return command


async def _is_healthy(socket: Path, timeout_seconds: float) -> bool:
    """Whether `GET /health` on the socket is answered 200 in time."""
    writer = None
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_unix_connection(str(socket))
            writer.write(b"GET /health HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
            status = (await reader.readline()).split()
            return len(status) > 1 and status[1] == b"200"
    except (OSError, ValueError, TimeoutError):
        return False
    finally:
        if writer is not None:
            writer.transport.abort()


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of any length, cut at a bound; a progress bar's carriage returns end lines too."""
    rest = ""
    while piece := await stream.read(4096):
        *whole, rest = (rest + piece.decode(errors="replace").replace("\r", "\n")).split("\n")
        for line in whole:
            if line.strip():
                yield line[:LINE_CHARACTERS]
        rest = rest[-LINE_CHARACTERS:]
    if rest.strip():
        yield rest
