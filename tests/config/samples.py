"""The smallest configuration that is valid, and ways to break it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from monitor.config import Config, load
from monitor.errors import ConfigError

CONFIG = """\
simulator: {kind: scripted}
assistants:
  production: {url: "https://assistant.example.com/v1/chat/completions"}
suites:
  baseline: {assistant: production, intents: intents.yaml}
"""
INTENTS = """\
intents:
  - id: returns
    description: You are a user who wants to return shoes.
    script: [How long can I return shoes?]
    checklist:
      - {id: days, kind: required_fact, patterns: ['30 days']}
"""


def write(folder: Path, config: str = CONFIG, intents: str = INTENTS) -> Path:
    (folder / "intents.yaml").write_text(intents, encoding="utf-8")
    path = folder / "monitor.yaml"
    path.write_text(config, encoding="utf-8")
    return path


def loaded(folder: Path, config: str = CONFIG, intents: str = INTENTS, env: Mapping[str, str] | None = None) -> Config:
    return load(write(folder, config, intents), env or {})


def problems(
    folder: Path, config: str = CONFIG, intents: str = INTENTS, env: Mapping[str, str] | None = None
) -> list[str]:
    """The lines of the refusal, without the folder."""
    with pytest.raises(ConfigError) as refusal:
        loaded(folder, config, intents, env)
    return [line.replace(f"{folder}/", "") for line in refusal.value.problems]
