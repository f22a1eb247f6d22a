"""What the monitor's look at itself is given: where to ask, and what one configuration wants watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from monitor.rules.monitor import Part
from monitor.rules.nodata import Patience
from monitor.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What one configuration wants watched: suites with the patience for valid checks (None: no schedule), and parts.

    `paused` says why a suite is not to be watched now (None: it is), and may block; `judge` steps the alerts, says how
    many moved, and raises StoreFailure.
    """

    suites: Mapping[str, Patience | None]
    parts: frozenset[Part]
    canary_seconds: float
    paused: Callable[[str], str | None]
    judge: Callable[[Sequence[Verdict]], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLook:
    """The user model's server now. `is_final`: it will not come back by itself."""

    is_up: bool
    patience_seconds: float
    restarts: int = 0
    reason: str = ""
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What lives as long as the process, asked anew at each look. `engine` gives None where there is none; `spool` the
    checks that wait and those lost; `judge_calls` the requests that failed, and all of them, since the start;
    `problems` those for which the newest configuration was refused.
    """

    engine: Callable[[], EngineLook | None]
    spool: Callable[[], tuple[int, int]]
    judge_calls: Callable[[], tuple[float, float]]
    problems: Callable[[], Sequence[str]]
