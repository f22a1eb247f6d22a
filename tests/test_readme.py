"""README names every setting, metric, command, outcome and exit code, and no file that is not there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.cli.exit_codes import ExitCode
from monitor.cli.main import COMMANDS
from monitor.metrics import LIVE_HELP, Metrics
from monitor.transcript import Outcome

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RULES = (ROOT / "config" / "prometheus" / "rules.yml").read_text()
SCHEMA = json.loads((ROOT / "config" / "schema" / "monitor.schema.json").read_text())


def settings(schema: dict[str, Any]) -> Iterator[str]:
    """The names of all settings, however deep."""
    for part in [schema, *schema.get("$defs", {}).values()]:
        yield from part.get("properties", {})


@pytest.mark.parametrize("name", sorted(set(settings(SCHEMA))))
def test_every_setting_is_in_the_readme(name: str) -> None:
    assert re.search(rf"[`.]{re.escape(name)}[`.]|\{{{re.escape(name)}\}}", README)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"`{command}`" in README


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_in_the_readme(outcome: Outcome) -> None:
    assert f"`{outcome}`" in README


@pytest.mark.parametrize("code", list(ExitCode))
def test_every_exit_code_is_in_the_readme(code: ExitCode) -> None:
    assert f"\n| {code.value} | " in README


def test_every_metric_is_in_the_readme() -> None:
    text = (ROOT / "monitor" / "metrics.py").read_text()
    named = set(re.findall(r'_(?:gauge|counter)\(\s*"([a-z_]+)"', text)) | set(
        re.findall(r'^    \("([a-z_]+)",', text, re.M)
    )
    named |= LIVE_HELP.keys()
    assert {"score", "checks_total", "incidents_open"} <= named
    assert {name for name in named if f"`{name}`" not in README} == set()


def test_metrics_that_are_always_there_are_in_the_readme() -> None:
    body, _ = Metrics().render()
    families = [
        f.name for f in text_string_to_metric_families(body.decode()) if f.name.startswith("assistant_monitor_")
    ]
    assert {name for name in families if f"`{name.removeprefix('assistant_monitor_')}`" not in README} == set()


@pytest.mark.parametrize("intent", re.findall(r"assistant-monitor simulate ([a-z-]+)", README))
def test_every_intent_that_is_tried_is_in_the_shipped_suite(intent: str) -> None:
    assert f"- id: {intent}\n" in (ROOT / "config" / "intents" / "baseline.yaml").read_text()


@pytest.mark.parametrize("alert", re.findall(r"alert: AssistantMonitor(\w+)", RULES))
def test_every_alert_is_in_the_readme(alert: str) -> None:
    assert f"`{alert}`" in README


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:tests|config|monitor)/[\w/.]+)`", README))))
def test_every_file_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z-]+)`?", README)) - {"and"}))
def test_every_make_target_is_there(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)
