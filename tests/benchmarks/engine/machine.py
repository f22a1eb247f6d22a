"""What the figures were taken on, and what a process has used of it. Knows nothing of models or servers."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

MATRIX_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Processor flags that decide how fast float32 and bfloat16 are multiplied."""


def machine() -> dict[str, object]:
    """The processor, its matrix flags, cores that this process may use, and the libraries' versions."""
    info = Path("/proc/cpuinfo").read_text()
    name = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    return {
        "processor": name[1].strip() if name else platform.machine(),
        "flags": matrix_flags(info),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
        "transformers": importlib.metadata.version("transformers"),
    }


def matrix_flags(info: str | None = None) -> list[str]:
    """Those of `MATRIX_FLAGS` that the processor has, by the text of /proc/cpuinfo."""
    found = re.search(r"^flags\s*: (.*)$", info or Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    has = set(found[1].split()) if found else set()
    return [flag for flag in MATRIX_FLAGS if flag in has]


def computes_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 by itself; without, it is slower than float32 and says nothing."""
    return bool({"avx512_bf16", "amx_bf16"} & set(matrix_flags()))


def load_average() -> float:
    """Of the last minute."""
    return round(os.getloadavg()[0], 2)


def cpu_seconds_of(pid: int) -> float:
    """CPU time that a process has used, its threads included and its children not."""
    return _cpu_seconds(_fields(pid))


def cpu_seconds_of_session(leader: int) -> float:
    """CPU time that all living processes of a session have used."""
    return sum(_cpu_seconds(fields) for _, fields in _session(leader))


def processes_of_session(leader: int) -> list[int]:
    """All living processes of a session."""
    return [pid for pid, _ in _session(leader)]


def _session(leader: int) -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = _fields(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == leader:
            yield int(folder.name), fields


def _fields(pid: int) -> list[str]:
    """Of /proc/PID/stat, from the state on: the name before it may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpu_seconds(fields: list[str]) -> float:
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
