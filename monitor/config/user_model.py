"""The part of a configuration that an engine needs: which model plays the users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.config.fields import Folder, Section
from monitor.config.part import read_part
from monitor.config.settings import DEFAULT_STATE_DIR
from monitor.config.simulator import ModelSettings, SimulatorSettings
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
    part = read_part(path, env, _Part)
    model = part.simulator.model
    if model is None:
        raise ConfigError([f"{path}: simulator.model is not set: this monitor loads no model of its own"])
    cache_dir = model.cache_dir or part.state_dir / "models"
    return ConfiguredModel(path=path, model=model, simulator=part.simulator, cache_dir=cache_dir)
