"""The component `experience`, put together, and what of it makes scores comparable."""

from __future__ import annotations

from typing import Any

from monitor.config import Config
from monitor.config.experience import ExperienceSettings, measured_for
from monitor.package_data import data_folder
from monitor.scorers.contract import UserProbe
from monitor.scorers.experience import Experience, Followups, Scale


def followups() -> Followups:
    """What users may say next when it went well, and when it did not."""
    return Followups(satisfied=_lines("followups_satisfied.txt"), dissatisfied=_lines("followups_dissatisfied.txt"))


def experience_scorers(config: Config, probe: UserProbe | None) -> list[Experience]:
    """The scorer; none without a user model or without its constants."""
    constants = _constants(config)
    if probe is None or constants is None:
        return []
    return [Experience(probe, followups(), Scale(center=constants.center, spread=constants.spread))]


def experience_facts(config: Config) -> dict[str, Any]:
    """Constants and follow-ups; nothing where the component is off, so that its words move no other score."""
    constants = _constants(config)
    if "experience" not in config.settings.scoring.weights or constants is None:
        return {}
    said = followups()
    return {"experience": {**constants.model_dump(), "followups": [said.satisfied, said.dissatisfied]}}


def _constants(config: Config) -> ExperienceSettings | None:
    return config.settings.scoring.experience or measured_for(config.settings.simulator)


def _lines(name: str) -> tuple[str, ...]:
    text = (data_folder("config") / "prompts" / name).read_text(encoding="utf-8")
    return tuple(line.strip() for line in text.splitlines() if line.strip())
