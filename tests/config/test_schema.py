"""The schemas that are checked in, for editors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from monitor.config.problems import Problems
from monitor.config.schema import schemas, write
from monitor.config.yaml_source import plain, read_tree

CONFIG = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize("name", schemas())
def test_the_schema_checked_in_is_the_one_of_the_models(name: str) -> None:
    checked_in = (CONFIG / "schema" / name).read_text(encoding="utf-8")
    assert checked_in == schemas()[name], "run python -m monitor.config.schema"


def test_the_schemas_are_written_into_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(schemas())


@pytest.mark.parametrize("path", sorted([*CONFIG.glob("*.yaml"), *CONFIG.glob("intents/*.yaml")]), ids=lambda p: p.name)
def test_every_shipped_file_satisfies_its_schema(path: Path) -> None:
    name = "intents.schema.json" if path.parent.name == "intents" else "monitor.schema.json"
    node = read_tree(path, path.read_bytes(), Problems())
    assert node is not None
    validator = Draft202012Validator(json.loads(schemas()[name]))
    assert [error.message for error in validator.iter_errors(plain(node))] == []


def test_the_schema_refuses_what_the_loader_refuses() -> None:
    validator = Draft202012Validator(json.loads(schemas()["monitor.schema.json"]))
    assert not validator.is_valid({"assistants": {}, "suites": {}, "simulator": {}, "unknown": 1})
