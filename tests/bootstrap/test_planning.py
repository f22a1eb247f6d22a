"""What pages and API are told of the configuration."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from monitor.bootstrap.planning import plans
from monitor.config import load
from tests.cli.commands import write_config

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def test_each_suite_comes_with_its_intents_rules_and_next_slot(tmp_path: Path) -> None:
    suite = {"assistant": "scripted", "intents": "intents.yaml", "rounds": 1, "threshold": 0.6}
    suites = {"shop": suite | {"schedule": {"every": "4h"}}, "office": suite | {"schedule": None}}
    found = plans(load(write_config(tmp_path, suites=suites), {}))
    shop, office = found["shop"], found["office"]
    assert [shop.intent(intent.id) for intent in shop.suite.intents] == [*shop.suite.intents]
    assert shop.intent("none") is None
    assert (shop.suite.threshold, shop.rules.threshold) == (0.6, 0.6)
    assert shop.next_slot(NOW) == datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
    assert office.next_slot(NOW) is None
