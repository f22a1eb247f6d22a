"""A daemon over a long time: nothing that it leaves behind grows."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest

from tests.e2e.daemon import ROOT
from tests.faults.soak import BAD_CYCLES, PERIOD

CYCLES = int(os.environ.get("SOAK_CYCLES", "300"))
"""`make soak` runs 5000."""
BYTES_A_CYCLE = 8_000
"""4 MB in 500 cycles; what a check stores is kept in the database alone."""
OBJECTS_A_CYCLE = 5.0
RECOVERY_CYCLES = 3
"""After so many good checks an incident is closed and told."""


@pytest.mark.timeout(1800)
async def test_memory_and_descriptors_stay_flat_over_many_cycles() -> None:
    """L1. O6, once caches are full, after a third of the run; every incident was opened and closed on each channel."""
    command = [sys.executable, "-m", "tests.faults.soak", "--cycles", str(CYCLES)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    figures = json.loads(output)
    assert figures["soak_checks"] == CYCLES
    assert figures["soak_opens"] == figures["soak_resolves"] == 2 * incidents()
    warm = [one for one in figures["soak_samples"] if one["cycle"] > CYCLES / 3]
    first, last = warm[0], warm[-1]
    cycles = last["cycle"] - first["cycle"]
    for held in ("descriptors", "threads", "tasks"):
        counts = {one[held] for one in warm}
        assert max(counts) - min(counts) <= 2, held
    assert (last["objects"] - first["objects"]) / cycles < OBJECTS_A_CYCLE
    assert (last["resident_bytes"] - first["resident_bytes"]) / cycles < BYTES_A_CYCLE


def incidents() -> int:
    """How many begin and end within the cycles."""
    return (CYCLES + PERIOD - BAD_CYCLES[-1] - RECOVERY_CYCLES) // PERIOD
