"""The real Alertmanager with the shipped inhibitions: what follows from another alert is not told, all else is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.fixtures.assistants import ScriptedAssistant, responds
from tests.service.prometheus.stack import Server, running_alertmanager, serving, until

PREFIX = "AssistantMonitor"
BLIND = ("DataStale", "NeverMeasured", "CheckInconclusive", "CheckAborted", "SimulatorFaults")
CAUSES = {
    "Down": ("DataStale", "NeverMeasured", "Restarting", "LoopStuck", "StoreUnreachable", "EngineNotReady"),
    "LoopStuck": BLIND,
    "StoreUnreachable": BLIND,
    "EngineNotReady": BLIND,
    "Restarting": ("EngineRestarting",),
    "DataStale": ("CheckInconclusive", "CheckAborted"),
    "ScoreBelowThreshold": ("IntentCollapsed",),
}
"""Alerts, and what follows from them."""
OF_A_SUITE = ("DataStale", "ScoreBelowThreshold")
EVERY = (*CAUSES, *BLIND, "EngineRestarting", "IntentCollapsed", "NotificationsStuck", "DeadLetters", "AssistantErrors")

Labels = Mapping[str, str]
FOLLOWS = pytest.mark.parametrize(("cause", "follower"), [(c, f) for c, followers in CAUSES.items() for f in followers])


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    receiver = ScriptedAssistant(lambda _: responds(body=b"ok"))
    with serving(receiver):
        url = receiver.origin
        folder = tmp_path_factory.mktemp("alertmanager")
        with running_alertmanager(folder, slack=url, pagerduty=url, deadman=url) as server:
            yield server


def alert(name: str, **labels: str) -> Labels:
    return {"job": "assistant-monitor", "severity": "warning", **labels, "alertname": PREFIX + name}


def post(server: Server, *alerts: Labels) -> None:
    told = [{"labels": labels, "annotations": {"summary": "s", "description": "d"}} for labels in alerts]
    url = f"http://127.0.0.1:{server.port}/api/v2/alerts"
    assert httpx.post(url, json=told, trust_env=False).status_code == 200


def inhibited(server: Server, instance: str) -> list[Labels]:
    """The alerts of a daemon whose instance begins so that are held back."""
    found: list[dict[str, Any]] = server.get("/api/v2/alerts", filter=f'instance=~"{instance}.*"')
    return [entry["labels"] for entry in found if entry["status"]["inhibitedBy"]]


@FOLLOWS
def test_what_follows_is_held_back_for_the_same_daemon_only(alertmanager: Server, cause: str, follower: str) -> None:
    here = f"{cause}-{follower}:"
    suite = {"suite": "shop"}
    source = alert(cause, instance=f"{here}1", **(suite if cause in OF_A_SUITE else {}))
    held, told = (alert(follower, instance=f"{here}{number}", **suite) for number in (1, 2))
    post(alertmanager, source, held, told)
    until(lambda: inhibited(alertmanager, here), "an alert is held back")
    assert inhibited(alertmanager, here) == [held]


@pytest.mark.parametrize("cause", OF_A_SUITE)
def test_what_follows_from_a_suite_is_held_back_for_that_suite_only(alertmanager: Server, cause: str) -> None:
    here, follower = f"suites-{cause}:1", CAUSES[cause][0]
    held, told = (alert(follower, instance=here, suite=suite) for suite in ("shop", "help"))
    post(alertmanager, alert(cause, instance=here, suite="shop"), held, told)
    until(lambda: inhibited(alertmanager, here), "an alert is held back")
    assert inhibited(alertmanager, here) == [held]


@pytest.mark.parametrize("cause", CAUSES)
def test_nothing_else_is_held_back(alertmanager: Server, cause: str) -> None:
    here = f"all-{cause}:1"
    alerts = [alert(name, instance=here, suite="shop") for name in dict.fromkeys(EVERY)]
    silent = {PREFIX + name for name in CAUSES if name != cause}
    kept = [labels for labels in alerts if labels["alertname"] not in silent]
    post(alertmanager, *kept)
    until(lambda: inhibited(alertmanager, here), "an alert is held back")
    followers = {PREFIX + name for name in CAUSES[cause]} - silent
    assert {labels["alertname"] for labels in inhibited(alertmanager, here)} == followers
