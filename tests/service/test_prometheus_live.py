"""The real Prometheus scrapes the real daemon, the real Alertmanager carries what it finds, and the dashboard has data.

One scene for all tests: the assistant was good and then turned bad, PagerDuty refused the daemon's message and Slack is
away, so that there is something to see everywhere.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.demo.receivers import PAGERDUTY, SLACK, Answer, Receivers
from tests.cli.commands import notify
from tests.e2e.daemon import DaemonProcess, tiny_userlm, write_config
from tests.fixtures.assistants import ScriptedAssistant, responds, streams
from tests.service.grafana.dashboard import Query, label_queries, queries
from tests.service.prometheus.shipped import alerts, opposite, selectors
from tests.service.prometheus.stack import Server, running_alertmanager, running_prometheus, serving, until

GOOD, BAD = streams("It is ", "thirty days."), streams("That costs ", "ten euros.")
SCORE, STUCK = "AssistantMonitorScoreBelowThreshold", "AssistantMonitorNotificationsStuck"
DEAD, WATCHDOG = "AssistantMonitorDeadLetters", "AssistantMonitorWatchdog"


@dataclass(frozen=True)
class Scene:
    """Who takes part. `channels` are the daemon's own Slack and PagerDuty, the other receivers are Alertmanager's."""

    assistant: ScriptedAssistant
    channels: Receivers
    prometheus: Server
    slack: ScriptedAssistant
    pager: Receivers
    deadman: ScriptedAssistant
    instance: str

    def is_firing(self, name: str) -> bool:
        return bool(self.prometheus.query(f'ALERTS{{alertname="{name}", alertstate="firing"}}'))

    def told_by_slack(self) -> dict[str, str]:
        """The texts that Alertmanager posted, by their titles."""
        posted = [request.json()["attachments"][0] for request in self.slack.received]
        return {message["title"]: message["text"] for message in posted}

    def fill(self, query: Query) -> str:
        values = {"instance": self.instance, "suite": "shop", "intent": ".*", "window": "1h", "__rate_interval": "10s"}
        return query.filled(values)


@pytest.fixture(scope="module")
def config(
    tmp_path_factory: pytest.TempPathFactory, talking_userlm_folder: Path, channels: Receivers, good: ScriptedAssistant
) -> Path:
    folder = tmp_path_factory.mktemp("daemon")
    path = write_config(folder, good.url, tiny_userlm(talking_userlm_folder), json.dumps(notify(folder, channels)))
    path.write_text(path.read_text().replace("turn_timeout: 5s", "stream: true, turn_timeout: 5s"))
    return path


@pytest.fixture(scope="module")
def channels() -> Iterator[Receivers]:
    with Receivers() as running:
        running.always_answer(SLACK, Answer(status=503))
        running.answer(PAGERDUTY, Answer(status=400, body={"status": "invalid event"}))
        yield running


@pytest.fixture(scope="module")
def good() -> Iterator[ScriptedAssistant]:
    server = ScriptedAssistant(lambda _: GOOD)
    with serving(server):
        yield server


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, config: Path, channels: Receivers, good: ScriptedAssistant
) -> Iterator[Scene]:
    slack, deadman = ScriptedAssistant(lambda _: responds(body=b"ok")), ScriptedAssistant(lambda _: responds())
    with ExitStack() as stack:
        stack.enter_context(serving(slack, deadman))
        pager = stack.enter_context(Receivers())
        daemon = stack.enter_context(DaemonProcess(config))
        alertmanager = stack.enter_context(
            running_alertmanager(
                tmp_path_factory.mktemp("alertmanager"),
                slack=slack.origin,
                pagerduty=pager.pagerduty_url,
                deadman=deadman.origin,
            )
        )
        until(lambda: metrics_port(daemon), "the daemon listens")
        port = metrics_port(daemon)
        prometheus = stack.enter_context(
            running_prometheus(tmp_path_factory.mktemp("prometheus"), port, alertmanager.port, hasty={SCORE, STUCK})
        )
        playing = Scene(good, channels, prometheus, slack, pager, deadman, f"127.0.0.1:{port}")
        play(playing, daemon)
        yield playing
        assert asyncio.run(daemon.stop()) == 0


def metrics_port(daemon: DaemonProcess) -> int:
    """Where the daemon answers Prometheus; 0 while it does not."""
    assert daemon.process.poll() is None, daemon.said()
    found = re.search(r"web_server_listening host=127\.0\.0\.1 port=(\d+)", daemon.log.read_text())
    return int(found[1]) if found else 0


def play(scene: Scene, daemon: DaemonProcess) -> None:
    """What happens before the tests look."""
    asyncio.run(daemon.until(lambda: bool(scene.prometheus.query("assistant_monitor_score > 0.7")), "a good score"))
    scene.assistant.answer = lambda _: BAD
    until(lambda: scene.is_firing(SCORE) and scene.is_firing(STUCK), "the alerts fire")
    until(lambda: scene.is_firing(DEAD), "a dead letter")
    until(lambda: scene.prometheus.query("assistant_monitor_engine_step_seconds_count > 0"), "steps of the engine")
    until(lambda: scene.prometheus.query("assistant_monitor_intent_score_previous < 0.3"), "two bad checks in a row")


def test_prometheus_evaluates_every_rule(scene: Scene) -> None:
    groups = scene.prometheus.get("/api/v1/rules")["data"]["groups"]
    seen = {rule["name"]: (rule["health"], rule.get("lastError")) for group in groups for rule in group["rules"]}
    assert seen == {rule["alert"]: ("ok", None) for rule in alerts()}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_everything_that_a_rule_asks_for_is_there(scene: Scene, rule: dict[str, Any]) -> None:
    asked = selectors(rule["expr"])
    assert asked or rule["expr"] == "vector(1)"
    assert [selector for selector in asked if not scene.prometheus.query(selector)] == []


@pytest.mark.parametrize(
    "rule", [rule for rule in alerts() if opposite(rule["expr"]) != rule["expr"]], ids=lambda rule: str(rule["alert"])
)
def test_what_a_rule_compares_belongs_together(scene: Scene, rule: dict[str, Any]) -> None:
    found = (scene.prometheus.query(expression) for expression in (rule["expr"], opposite(rule["expr"])))
    assert any(found)


@pytest.mark.parametrize("query", queries(), ids=lambda query: str(query.place))
def test_every_query_of_the_dashboard_finds_something(scene: Scene, query: Query) -> None:
    found = scene.prometheus.query(scene.fill(query))
    assert [result for result in found if math.isfinite(float(result["value"][1]))]


@pytest.mark.parametrize(("query", "label"), label_queries(), ids=lambda part: str(getattr(part, "place", part)))
def test_every_variable_of_the_dashboard_has_values(scene: Scene, query: Query, label: str) -> None:
    found = scene.prometheus.query(scene.fill(query))
    assert {result["metric"][label] for result in found} <= {scene.instance, "shop", "how-long", "what-cost"}
    assert found


def test_only_what_is_wrong_fires(scene: Scene) -> None:
    firing = scene.prometheus.query('ALERTS{alertstate="firing"}')
    assert {alert["metric"]["alertname"] for alert in firing} == {SCORE, STUCK, DEAD, WATCHDOG}


def test_a_page_reaches_pagerduty(scene: Scene) -> None:
    until(lambda: scene.pager.received, "a page")
    first = scene.pager.received[0]
    assert first.is_accepted
    assert first.body["event_action"] == "trigger"
    assert "The assistant's monitor cannot reach slack" in str(first.body["payload"])


def test_the_watchdog_reaches_the_service_outside(scene: Scene) -> None:
    until(lambda: scene.deadman.received, "the watchdog")
    (alert,) = scene.deadman.received[0].json()["alerts"]
    assert (alert["labels"]["alertname"], alert["status"]) == ("AssistantMonitorWatchdog", "firing")


def test_a_fall_of_the_score_and_its_end_reach_slack(scene: Scene) -> None:
    summary = "shop: the assistant's answers are below the threshold"
    until(lambda: summary in scene.told_by_slack(), "the alert in Slack")
    assert "The newest valid check of shop has an average of 0." in scene.told_by_slack()[summary]
    scene.assistant.answer = lambda _: GOOD
    until(lambda: f"Resolved: {summary}" in scene.told_by_slack(), "its end in Slack")


def test_a_page_is_over_when_the_channel_is_back(scene: Scene) -> None:
    scene.channels.always_answer(SLACK, None)
    until(lambda: scene.pager.received[-1].body["event_action"] == "resolve", "the end of the page")
    assert scene.pager.received[-1].body["dedup_key"] == scene.pager.received[0].body["dedup_key"]
