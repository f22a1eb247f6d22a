"""The GPU's benchmark on a small network and a CPU: that it runs and needs no server, not how fast it is."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.benchmarks.engine_cuda import Talk, critical_path
from tests.fixtures.models import ROOT

SMALL = (
    "--device cpu --dtype float32 --layers 1 --hidden 32 --intermediate 32 --heads 4 --kv-heads 2 --vocabulary 500 "
    "--rows 1 3 --context 30 --conversations 4 --turns 2 --at-once 2 4 --latency 0.01 0.02"
)
RUNNING = """
import sys
from tests.benchmarks.engine_cuda import main
main()
assert not {"starlette", "uvicorn", "prometheus_client"} & set(sys.modules)
"""


def test_it_runs_with_torch_and_transformers_alone() -> None:
    command = [sys.executable, "-c", RUNNING, *SMALL.split()]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    assert [row["rows"] for row in found["steps"]] == [1, 3]
    assert [row["at_once"] for row in found["conversations"]] == [2, 4]
    assert all(row["wall_seconds"] > 0 and row["critical_path_seconds"] > 0 for row in found["conversations"])


def test_the_critical_path_is_the_longest_conversation_or_the_fullest_worker() -> None:
    planned = [Talk(number, (seconds,)) for number, seconds in enumerate([3.0, 1.0, 1.0, 2.0])]
    assert critical_path(planned, 4, 0.5) == pytest.approx(3.5)
    assert critical_path(planned, 2, 0.5) == pytest.approx(1.5 + 1.5 + 2.5)
