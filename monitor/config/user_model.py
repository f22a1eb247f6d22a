"""The part of a configuration that an engine needs: which model plays the users. The rest of the file is not looked at,
so that the engine's process needs neither the monitor's secrets nor its intents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.config.explain import validate
from monitor.config.fields import Folder, Section
from monitor.config.problems import Problems
from monitor.config.secrets import Surroundings
from monitor.config.settings import DEFAULT_STATE_DIR
from monitor.config.simulator import ModelSettings, SimulatorSettings
from monitor.config.yaml_source import Node, read_bytes, read_tree
from monitor.errors import ConfigError


class _Part(Section):
    state_dir: Folder = DEFAULT_STATE_DIR
    simulator: SimulatorSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredModel:
    """The model, the section that it stands in, and the folder of weights from a hub."""

    path: Path
    model: ModelSettings
    simulator: SimulatorSettings
    cache_dir: Path


def load_user_model(path: Path, env: Mapping[str, str]) -> ConfiguredModel:
    """Read it. Raises ConfigError with all problems found in this part, one when the configuration has no model."""
    problems = Problems()
    try:
        root = read_tree(path, read_bytes(path), problems)
    except ValueError as exc:
        raise ConfigError([f"{path}: {exc}; create it, or correct the path"]) from exc
    around = Surroundings(path.absolute().parent, env)
    part = validate(_Part, _part(root), around, path, problems) if root else None
    problems.refuse()
    assert part is not None, "no part and no problem"
    model = part.simulator.model
    if model is None:
        raise ConfigError([f"{path}: simulator.model is not set: this monitor loads no model of its own"])
    cache_dir = model.cache_dir or part.state_dir / "models"
    return ConfiguredModel(path=path, model=model, simulator=part.simulator, cache_dir=cache_dir)


def _part(root: Node) -> Node:
    if not isinstance(root.value, dict):
        return root
    return Node(root.line, {key: node for key, node in root.value.items() if key in _Part.model_fields}, root.lines)
