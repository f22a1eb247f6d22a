"""What an engine reads of a configuration: its own part, whatever the rest is like."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config.user_model import ConfiguredModel, load_user_model
from monitor.errors import ConfigError

MODEL = "simulator: {kind: userlm, model: {name: owner/model}}\n"


def read(folder: Path, text: str) -> ConfiguredModel:
    path = folder / "monitor.yaml"
    path.write_text(text)
    return load_user_model(path, {})


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        read(folder, text)
    return str(refused.value).replace(f"{folder}/", "")


def test_secrets_and_intents_are_not_looked_at(tmp_path: Path) -> None:
    found = read(tmp_path, MODEL + "notify: {slack: {token_file: not-here, channel: x}}\nsuites: nonsense\n")
    assert found.model.name == "owner/model"
    assert found.cache_dir == Path("/var/lib/assistant-monitor/models")


def test_weights_lie_where_the_monitor_looks_for_them(tmp_path: Path) -> None:
    assert read(tmp_path, MODEL + "state_dir: state\n").cache_dir == tmp_path / "state" / "models"
    named = MODEL.replace("name:", "cache_dir: /var/cache/x, name:")
    assert read(tmp_path, named).cache_dir == Path("/var/cache/x")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("simulator: {kind: scripted}\n", "monitor.yaml: simulator.model is not set"),
        ("state_dir: x\n", "monitor.yaml:1: simulator: is required"),
        ("[]\n", "monitor.yaml:1: is a list; must be a mapping"),
        (MODEL.replace("userlm", "nobody"), "monitor.yaml:1: simulator.kind: is none of the words"),
        ("", "monitor.yaml:1: the file is empty"),
    ],
)
def test_what_is_wrong_in_its_part_is_told(tmp_path: Path, text: str, words: str) -> None:
    assert refusal(tmp_path, text).startswith(words)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_user_model(tmp_path / "monitor.yaml", {})
