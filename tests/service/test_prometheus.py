"""Rules and configurations for Prometheus and Alertmanager, judged by the tools that come with them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.installed import installed
from tests.service.prometheus.shipped import (
    ALERTMANAGER,
    PROMETHEUS,
    RULE_TESTS,
    RULES,
    alert_names,
    alerts,
    cases,
    exported_names,
    metric_names,
    read_yaml,
)

README = (Path(__file__).parents[2] / "README.md").read_text()
RECEIVERS = {"page": "pagerduty", "warning": "slack", "none": "deadman"}
SILENCE_MINUTES = 15
"""Without a word for so long, the service outside calls: alertmanager.yml says so."""


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = installed("promtool", "prometheus")
    return subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60, cwd=RULES.parent
    )


def amtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    program = installed("amtool", "prometheus-alertmanager")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


def minutes(duration: str) -> int:
    found = re.fullmatch(r"(\d+)m", duration)
    assert found is not None, duration
    return int(found[1])


def test_promtool_accepts_the_configuration_with_its_rules() -> None:
    run = promtool("check", "config", PROMETHEUS)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 rule files found" in run.stdout


def test_promtool_finds_nothing_to_blame_in_the_rules() -> None:
    run = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert (run.returncode, run.stderr) == (0, ""), run.stdout


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_every_rule_fires_when_it_should_and_only_then(path: Path) -> None:
    run = promtool("test", "rules", path)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", alert_names())
def test_every_alert_has_a_case_in_which_it_fires(name: str) -> None:
    assert any(case.fires for case in cases() if case.alert == name)


@pytest.mark.parametrize("name", sorted(set(alert_names()) - {"AssistantMonitorWatchdog"}))
def test_every_alert_but_the_watchdog_has_a_case_in_which_it_is_silent(name: str) -> None:
    assert any(not case.fires for case in cases() if case.alert == name)


def test_amtool_accepts_the_configuration() -> None:
    run = amtool("check-config", ALERTMANAGER)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_every_alert_goes_to_the_receiver_of_its_severity(rule: dict[str, Any]) -> None:
    labels = [f"alertname={rule['alert']}", f"severity={rule['labels']['severity']}"]
    run = amtool("config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels)
    assert run.stdout.strip() == RECEIVERS[rule["labels"]["severity"]]


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_every_alert_says_what_is_wrong_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert set(rule["annotations"]) == {"summary", "description"}
    for heading in re.findall(r"README: ([\w ]+)", rule["annotations"]["description"]):
        assert re.search(rf"^(## {heading}|\*\*{heading}\.\*\*)", README, re.M)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_every_rule_asks_for_metrics_that_the_daemon_exports(rule: dict[str, Any]) -> None:
    assert metric_names(rule["expr"]) <= exported_names()


def test_the_rules_and_the_scrape_job_have_the_same_name() -> None:
    (job,) = read_yaml(PROMETHEUS)["scrape_configs"]
    assert set(re.findall(r'job="([^"]+)"', RULES.read_text())) == {job["job_name"]}


def test_what_is_inhibited_exists() -> None:
    rules = read_yaml(ALERTMANAGER)["inhibit_rules"]
    matchers = [matcher for rule in rules for side in ("source", "target") for matcher in rule[f"{side}_matchers"]]
    patterns = [matcher.partition('"')[2].rstrip('"') for matcher in matchers]
    ends = [end for pattern in patterns for end in re.sub(r"[()]", "", pattern).split("|")]
    named = {f"AssistantMonitor{end.removeprefix('AssistantMonitor')}" for end in ends}
    assert len(patterns) == 10
    assert named <= set(alert_names())


def test_the_watchdog_is_heard_again_before_the_service_outside_calls() -> None:
    (watchdog,) = [route for route in read_yaml(ALERTMANAGER)["route"]["routes"] if route["receiver"] == "deadman"]
    assert minutes(watchdog["repeat_interval"]) + minutes(watchdog["group_interval"]) < SILENCE_MINUTES


@pytest.mark.parametrize(("name", "is_told"), [("slack", True), ("pagerduty", True), ("deadman", False)])
def test_the_end_of_an_alert_is_told_where_people_are(name: str, is_told: bool) -> None:
    (receiver,) = [receiver for receiver in read_yaml(ALERTMANAGER)["receivers"] if receiver["name"] == name]
    ((options,),) = (channels for key, channels in receiver.items() if key != "name")
    assert options["send_resolved"] is is_told


def test_what_several_daemons_see_alike_is_told_once() -> None:
    route = read_yaml(ALERTMANAGER)["route"]
    assert route["group_by"] == ["alertname", "job", "suite"]
    assert [inner for inner in route["routes"] if "group_by" in inner] == []


def test_secrets_are_named_by_file() -> None:
    named = re.findall(r"^ +-? ?(\w+_file): (\S+)", ALERTMANAGER.read_text(), re.M)
    assert dict(named) == {
        "api_url_file": "/run/secrets/slack_webhook_url",
        "routing_key_file": "/run/secrets/pagerduty_routing_key",
    }
