"""The configuration and the intents that are shipped can be used as they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from monitor.config import load
from monitor.config.intents import read_intents
from monitor.config.problems import Problems
from monitor.config.secrets import Surroundings
from monitor.config.yaml_source import read_tree

CONFIG = Path(__file__).parents[2] / "config"
SECRETS = ("assistant-api-key", "slack-bot-token", "pagerduty-routing-key")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The shipped configuration with its secrets in place."""
    shutil.copytree(CONFIG, tmp_path, dirs_exist_ok=True)
    (tmp_path / "secrets").mkdir()
    for name in SECRETS:
        (tmp_path / "secrets" / name).write_text(f"{name}-value\n")
    return tmp_path / "monitor.yaml"


def test_the_production_configuration_loads_and_names_the_pinned_model(installed: Path) -> None:
    model = load(installed, {}).settings.simulator.model
    assert model is not None
    assert (model.name, model.device, model.dtype) == ("microsoft/UserLM-8b", "cuda", "bfloat16")
    assert model.revision == "ce576a239996496f13d100df0d987ae6a30f5629"


def test_the_production_configuration_gives_no_warning_and_reads_its_secrets(installed: Path) -> None:
    config = load(installed, {})
    assert [line for line in config.warnings if "judge" not in line] == []
    assert {secret.reveal() for secret in config.secrets} == {f"{name}-value" for name in SECRETS}


def test_the_configuration_for_systemd_loads_with_its_credentials(tmp_path: Path) -> None:
    for name in SECRETS:
        (tmp_path / f"assistant-monitor.{name}").write_text(f"{name}-value\n")
    config = load(CONFIG / "systemd.yaml", {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert {secret.reveal() for secret in config.secrets} == {f"{name}-value" for name in SECRETS}
    assert config.settings.simulator.model and config.settings.simulator.servers[0].socket


def test_the_configuration_for_systemd_differs_in_what_it_says_it_does(installed: Path, tmp_path: Path) -> None:
    for name in SECRETS:
        (tmp_path / f"assistant-monitor.{name}").write_text(f"{name}-value\n")
    one = load(installed, {}).settings.model_dump(mode="json", warnings=False)
    other = load(CONFIG / "systemd.yaml", {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    two = other.settings.model_dump(mode="json", warnings=False)
    for settings in (one, two):
        settings["simulator"]["model"].pop("cache_dir")
        settings["simulator"].pop("servers")
        settings["suites"]["baseline"].pop("intents")  # each beside its own file
    assert one == two


@pytest.mark.parametrize("path", sorted(CONFIG.glob("intents/*.yaml")), ids=lambda path: path.name)
def test_every_shipped_file_of_intents_is_valid(path: Path) -> None:
    problems = Problems()
    root = read_tree(path, path.read_bytes(), problems)
    intents = read_intents(path, root, Surroundings(path.parent, {}), problems) if root else ()
    assert not problems, problems.found
    assert intents
