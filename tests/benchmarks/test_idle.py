"""The benchmark of an idle daemon still measures one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.benchmarks.idle import Figures
from tests.e2e.daemon import ROOT


@pytest.fixture(scope="module")
def figures() -> Figures:
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.idle", "--seconds", "1", "--scrapes", "20"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    read: Figures = json.loads(done.stdout.splitlines()[-1])
    return read


def test_the_figures_are_those_of_a_whole_python_process(figures: Figures) -> None:
    assert 30 < figures["rss_mb"] <= figures["peak_rss_mb"] < 1000
    assert 0 < figures["pss_mb"] <= figures["rss_mb"]
    assert 0 <= figures["cpu_percent"] < 100
    assert figures["start_seconds"] > 0


def test_scrapes_bring_the_metrics_of_a_whole_suite(figures: Figures) -> None:
    assert figures["conversations"] == 84
    assert figures["metrics_bytes"] > 5000
    assert 0 < figures["metrics_p50_ms"] <= figures["metrics_p95_ms"]
