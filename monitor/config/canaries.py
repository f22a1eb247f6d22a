"""Section `canaries`, and the files of canaries that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue, model_validator

from monitor.config.durations import Duration
from monitor.config.explain import validate
from monitor.config.fields import Many, Name, Section
from monitor.config.intents import IntentSettings
from monitor.config.problems import Problems
from monitor.config.secrets import Surroundings
from monitor.config.yaml_source import read_bytes, read_tree
from monitor.errors import ConfigError

MOST_CANARIES = 500


class CanariesSettings(Section):
    """Known-good and known-bad conversations that are scored to see whether the monitor itself is well."""

    enabled: bool = True
    """Whether the daemon scores them."""
    every_seconds: Duration = Field(default=86_400.0, alias="every", ge=60.0)
    """How often, besides at the start."""


class CanarySettings(Section):
    """One conversation that is known to be good or bad."""

    id: Name
    label: Literal["good", "bad"]
    kind: Name
    """What is good or bad about it."""
    needs: Literal["nothing", "judge"]
    """What a configuration must have to tell."""
    intent: IntentSettings
    """As in files of intents; the id may be left out."""
    messages: Many[dict[str, JsonValue]] = Field(min_length=2)
    """OpenAI-style messages; one of the assistant may have a `finish_reason`."""

    @model_validator(mode="before")
    @classmethod
    def _intent_is_named_after_it(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("intent"), dict):
            return data | {"intent": {"id": data.get("id"), **data["intent"]}}
        return data


class CanariesFile(Section):
    """A file of canaries."""

    canaries: Many[CanarySettings] = Field(min_length=1, max_length=MOST_CANARIES)


def read_canaries(folder: Path) -> tuple[CanarySettings, ...]:
    """Those of every YAML file in a folder, by id. Raises ConfigError with everything wrong in them."""
    problems, found = Problems(), dict[str, CanarySettings]()
    for path in sorted(folder.glob("*.yaml")):
        for canary in _of_file(path, problems):
            if canary.id in found:
                problems.add(path, 1, "", f"the id {canary.id} is taken; make ids differ")
            found[canary.id] = canary
    problems.refuse()
    if not found:
        raise ConfigError([f"{folder}: no canaries in it; install the package again"])
    return tuple(found[name] for name in sorted(found))


def _of_file(path: Path, problems: Problems) -> tuple[CanarySettings, ...]:
    try:
        content = read_bytes(path)
    except ValueError as exc:
        problems.add(path, 1, "", str(exc))
        return ()
    root = read_tree(path, content, problems)
    file = validate(CanariesFile, root, Surroundings(path.parent, {}), path, problems) if root else None
    return file.canaries if file else ()
