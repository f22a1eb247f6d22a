"""What a configuration plans for each suite, as pages and API tell it."""

from __future__ import annotations

from monitor.config import Config
from monitor.config.rules import rules_policy
from monitor.web.plans import Plan


def plans(config: Config) -> dict[str, Plan]:
    """By the names of the suites."""
    return {
        name: Plan(suite=suite, rules=rules_policy(config.settings, name), schedule=config.schedules[name])
        for name, suite in config.suites.items()
    }
