"""An engine child that fails as its plan says: what a GPU does to a process, on a machine that has none.

Every Python process that is started with `environment` looks whether it is an engine; one that is reads its plan beside
its cached weights before each step. Nothing of the engine is replaced but the moment in which it computes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NO_PROGRESS_SECONDS = 1.5
FAULTY = """
import sys
if "monitor.engine" in sys.orig_argv:
    import json, os, pathlib, signal, time
    folder = pathlib.Path(sys.argv[sys.argv.index("--cache-dir") + 1]).parent
    sys.argv += ["--no-progress-seconds", "{no_progress_seconds}"]
    if (folder / "load-seconds").exists():
        time.sleep(float((folder / "load-seconds").read_text()))
    import torch
    from monitor.engine import owner
    whole = owner.compute

    def compute(model, shares):
        with (folder / "steps").open("a") as steps:
            print(json.dumps([os.getpid(), [share.job.sampling.seed for share in shares]]), file=steps)
        plan = folder / "plan"
        fault, _, rest = plan.read_text().partition("\\n") if plan.exists() else ("", "", "")
        if fault and not fault.endswith("!"):
            plan.write_text(rest)
        match fault.removesuffix("!"):
            case "out of memory":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            case "assert":
                raise RuntimeError("CUDA error: device-side assert triggered")
            case "hang":
                time.sleep(1000)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
        return whole(model, shares)

    owner.compute = compute
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One step that an engine began: its process, and the seeds of the requests in it."""

    pid: int
    seeds: frozenset[int]


def faulty_environment(folder: Path) -> Mapping[str, str]:
    """What processes are started with so that engines among them follow their plan."""
    (folder / "sitecustomize.py").write_text(FAULTY.format(no_progress_seconds=NO_PROGRESS_SECONDS))
    return {"PYTHONPATH": str(folder)}


def plan(state: Path, *faults: str) -> None:
    """What becomes of the next steps of the engine of this state folder, one fault a step; with `!`, of all steps."""
    state.mkdir(parents=True, exist_ok=True)
    (state / "plan").write_text("\n".join(faults))


def load_takes(state: Path, seconds: float) -> None:
    """How long the engine's next starts take, at least."""
    (state / "load-seconds").write_text(str(seconds))


def steps(state: Path) -> list[Step]:
    """What was computed, or was to be."""
    rows = [json.loads(line) for line in (state / "steps").read_text().splitlines()]
    return [Step(pid, frozenset(seeds)) for pid, seeds in rows]
