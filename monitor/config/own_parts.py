"""What the monitor watches of itself under a configuration: which of its parts there are, and their scopes."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.config.explain import locate
from monitor.config.problems import Problems
from monitor.config.settings import Settings
from monitor.config.yaml_source import Node
from monitor.rules.monitor import SUITE, Part, checks_scope, scope_of


def own_parts(settings: Settings) -> frozenset[Part]:
    """The parts that a configuration has."""
    has = {
        Part.CANARIES: settings.canaries.enabled and "task" in settings.scoring.weights,
        Part.JUDGE: settings.judge is not None,
        Part.ENGINE: settings.simulator.kind != "scripted",
    }
    return frozenset(part for part in Part if has.get(part, True))


def own_scopes(suites: Iterable[str], parts: Iterable[Part] = tuple(Part)) -> list[str]:
    """Everything of the monitor that may have an incident."""
    return [*(scope_of(part) for part in sorted(parts)), *(checks_scope(suite) for suite in suites)]


def check_suite_names(file: object, root: Node, settings: Settings, problems: Problems) -> None:
    """No suite is called what the monitor calls itself."""
    if SUITE in settings.suites:
        line, key = locate(root, ("suites", SUITE))
        text = f"alerts about the monitor itself are told as {SUITE}/...; give the suite another name"
        problems.add(file, line, key, text)
