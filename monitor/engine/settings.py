"""What an engine is started with, and what its exit codes mean. Knows nothing of how a model runs."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path


class ExitCode(enum.IntEnum):
    """Why the engine's process ended; `supervisor` decides by it whether another start can help."""

    STOPPED = 0
    """It was told to stop, or its parent is gone."""
    MISUSED = 2
    """The arguments are wrong: starting it again cannot help."""
    CANNOT_START = 4
    """No device, no weights, a failed self-test or a socket in use: starting it again cannot help."""
    DEVICE_LOST = 70
    """The device reported an error after which it computes nothing more: a new process can."""
    NO_PROGRESS = 71
    """Loading or a step did not end in time: a new process may do better."""
    BROKEN = 72
    """The thread that computes met a fault that it does not know: a new process may do better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """One engine: which model, on which device, behind which address.

    `model` is a folder, a hub id or `smollm2`. Exactly one of `socket` and `port` is given.
    `max_context` of None means what the model was built for. `max_slots` bounds the conversations whose keys and
    values are kept, and so the requests that run at once; `queue` the requests that wait beside them. The process
    ends when loading takes longer than `startup_seconds`, or one step longer than `no_progress_seconds`.
    `restarts` is how often an engine before this one had to be replaced, for its metrics.
    Raises ValueError, naming the argument, when a value makes no sense.
    """

    model: str
    revision: str | None = None
    device: str = "cpu"
    dtype: str = "float32"
    socket: Path | None = None
    host: str = "127.0.0.1"
    port: int | None = None
    max_context: int | None = None
    max_batch_tokens: int = 512
    max_slots: int = 64
    queue: int = 256
    threads: int | None = None
    cache_dir: Path | None = None
    parent_pid: int | None = None
    served_model_name: str | None = None
    request_seconds: float = 600.0
    startup_seconds: float = 900.0
    no_progress_seconds: float = 120.0
    restarts: int = 0

    def __post_init__(self) -> None:
        if (self.socket is None) == (self.port is None):
            raise ValueError("give either --socket or --port")
        if self.device not in ("cpu", "cuda"):
            raise ValueError(f"--device is cpu or cuda, not {self.device!r}")
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f"--dtype is float32 or bfloat16, not {self.dtype!r}")
        for name in ("max_context", "max_batch_tokens", "max_slots", "queue", "threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name.replace('_', '-')} must be at least 1")
        if self.restarts < 0:
            raise ValueError("--restarts must be at least 0")

    @property
    def name(self) -> str:
        """The name that requests and `/v1/models` use."""
        return self.served_model_name or self.model
