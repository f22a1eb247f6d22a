"""The demo as a newcomer runs it: it must hold, and must fail when something of it is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.check import CheckStatus
from monitor.incident import NotificationStatus
from monitor.store import Store
from tests.e2e.daemon import ROOT


def run_demo(folder: Path, *arguments: str, cache: Path | None = None) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON object printed last, and what was told."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    if cache:
        environment["ASSISTANT_MONITOR_CACHE"] = str(cache)
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "demo", "--json", "--seed", "1", "--folder", str(folder), *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


def told(report: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((row["channel"], row["kind"]) for row in report["notifications"])


OPEN_AND_CLOSED = [("pagerduty", "open"), ("pagerduty", "resolve"), ("slack", "open"), ("slack", "resolve")]


def assert_holds(code: int, report: dict[str, Any], said: str) -> None:
    assert code == 0, said
    statuses = [check["status"] for check in report["checks"]]
    assert statuses[:2] == ["healthy", "degraded"]
    assert statuses[-2:] == ["healthy", "healthy"]
    assert told(report) == OPEN_AND_CLOSED
    assert {row["dedup_key"] for row in report["notifications"]} == {"assistant-monitor:demo:demo/overall"}


def test_with_scripted_users_it_holds_in_seconds(tmp_path: Path) -> None:
    code, report, said = run_demo(tmp_path, "--scripted")
    assert_holds(code, report, said)
    store = Store.open(f"sqlite:///{report['database']}")
    try:
        assert [check.status for check in store.checks()].count(CheckStatus.DEGRADED) == 1
        assert [incident.closed_at is not None for incident in store.incidents()] == [True]
        assert {row.status for row in store.notifications()} == {NotificationStatus.SENT}
    finally:
        store.close()


@pytest.mark.parametrize("channel", ["slack", "pagerduty"])
def test_it_fails_when_a_receiver_is_dead(tmp_path: Path, channel: str) -> None:
    code, report, said = run_demo(tmp_path, "--scripted", "--dead", channel)
    assert code == 1
    assert f"no open was received by: {channel}" in said
    assert channel not in {row["channel"] for row in report["notifications"]}


def test_it_fails_when_the_index_was_not_broken(tmp_path: Path) -> None:
    code, report, said = run_demo(tmp_path, "--scripted", "--unbroken")
    assert code == 1
    assert "the check should be degraded, and is healthy" in said
    assert report["notifications"] == []


@pytest.mark.model
@pytest.mark.timeout(900)
def test_it_holds_with_a_language_model_as_the_users(tmp_path: Path, smollm2_folder: Path) -> None:
    code, report, said = run_demo(tmp_path, cache=smollm2_folder.parent)
    assert_holds(code, report, said)
    assert "SmolLM2-135M plays the users in place of UserLM-8b" in said
    assert min(check["conversations"] for check in report["checks"]) == 16
