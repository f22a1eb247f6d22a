"""The files under `config/prometheus/`, read; what their queries ask for; and what the daemon exports."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from monitor.check import SuiteSnapshot, Watched
from monitor.engine_metrics import parse
from monitor.metrics import LIVE_HELP, Metrics
from monitor.selfwatch import Overlaps, SelfMetrics
from tests.engine_page import engine_page
from tests.store.test_canaries import a_run
from tests.web.examples import CHECK, SUMMARY, conversation, snapshot

FOLDER = Path(__file__).parents[3] / "config" / "prometheus"
RULES, PROMETHEUS, ALERTMANAGER = (FOLDER / name for name in ("rules.yml", "prometheus.yml", "alertmanager.yml"))
RULE_TESTS = sorted(Path(__file__).parent.glob("*_test.yml"))
NOT_OURS = {"up", "ALERTS"}
"""Series that Prometheus makes itself."""


@dataclass(frozen=True)
class Case:
    """One expectation of `promtool test rules`."""

    alert: str
    fires: bool


def read_yaml(path: Path) -> Any:
    """The document of a YAML file."""
    return YAML(typ="safe", pure=True).load(path)


def alerts() -> list[dict[str, Any]]:
    """The alerting rules as they are written."""
    return [rule for group in read_yaml(RULES)["groups"] for rule in group["rules"]]


def alert_names() -> list[str]:
    """The names of all alerts."""
    return [str(rule["alert"]) for rule in alerts()]


def cases() -> list[Case]:
    """Everything that the tests of the rules expect."""
    expected = [
        case for path in RULE_TESTS for test in read_yaml(path)["tests"] for case in test.get("alert_rule_test", [])
    ]
    return [Case(case["alertname"], bool(case["exp_alerts"])) for case in expected]


def selectors(expression: str) -> list[str]:
    """The series that an expression asks for: names with their label matchers."""
    return re.findall(r"\b(?:assistant_monitor_\w+|process_\w+|up|ALERTS)\b(?:\{[^}]*\})?", expression)


def opposite(expression: str) -> str:
    """The expression with its comparisons turned around; exceptions from it (`unless`) are left out."""
    turned = {"<": ">=", ">": "<=", "==": "!=", ">=": "<"}
    compared = expression.partition("unless")[0]
    return re.sub(r"(?<=\s)(<|>|==|>=)(?=\s)", lambda found: turned[found[1]], compared)


def metric_names(expression: str) -> set[str]:
    """The names in an expression that should come from the daemon."""
    return {selector.partition("{")[0] for selector in selectors(expression)} - NOT_OURS


def exported_names() -> set[str]:
    """The name of every sample that a daemon exports once it has everything to tell."""
    live = dict.fromkeys(LIVE_HELP, 1.0)
    check = replace(CHECK, summary=replace(SUMMARY, standard_error=0.05))
    suite = SuiteSnapshot(
        suite="shop",
        watched=Watched(threshold=0.7, stale_after_seconds=34200),
        last=check,
        last_ended=check,
        last_valid=check,
        previous_valid=check,
        watched_since=check.started_at,
    )
    of_itself = SelfMetrics(Overlaps(), lambda: ["shop"])
    others = [*parse(engine_page(), "child"), *of_itself.families()]
    metrics = Metrics(lambda: live, engines=lambda: others, suites=["shop"], channels=["slack", "pagerduty"])
    metrics.publish(replace(snapshot(suite), canaries=a_run()))
    metrics.observe("shop", conversation())
    page = metrics.render()[0].decode()
    return {sample.name for family in text_string_to_metric_families(page) for sample in family.samples}
