"""Loading as a whole: several files, all problems at once, nothing but a ConfigError."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from monitor.config import load
from monitor.errors import ConfigError
from tests.config.samples import CONFIG, INTENTS, loaded, problems, write

SUITE = "  baseline: {assistant: production, intents: intents.yaml}\n"


def test_a_suite_is_ready_to_be_run(tmp_path: Path) -> None:
    config = loaded(tmp_path, CONFIG.replace("intents.yaml}", "intents.yaml, threshold: 0.9, timeout: 30m}"))
    suite = config.suites["baseline"]
    assert (suite.name, suite.assistant, suite.rounds) == ("baseline", "production", 4)
    assert (suite.threshold, suite.timeout_seconds) == (0.9, 1800.0)
    assert [intent.id for intent in suite.intents] == ["returns"]


def test_all_problems_of_all_files_are_told_at_once_in_order(tmp_path: Path) -> None:
    config = CONFIG.replace("assistant: production", "assistant: staging, rounds: none") + "alerting: {threshold: 70}\n"
    assert problems(tmp_path, config, INTENTS.replace("description", "descripton")) == [
        "intents.yaml:2: intents[0].description: is required; add it",
        "intents.yaml:3: intents[0].descripton: unknown key; did you mean description?",
        "monitor.yaml:5: suites.baseline.assistant: no assistant has this name; known: production",
        "monitor.yaml:5: suites.baseline.rounds: not a number of rounds; write a whole number, or {least: 4, most: 20}",
        "monitor.yaml:6: alerting.threshold: must be 1.0 or less",
    ]


def test_a_configuration_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"monitor\.yaml:1: there is no such file"):
        load(tmp_path / "monitor.yaml", {})


def test_a_file_of_intents_that_is_not_there_is_told_where_it_is_named(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, CONFIG.replace("intents.yaml", "other.yaml"))
    assert problem == "monitor.yaml:5: suites.baseline.intents: other.yaml: there is no such file; create it, or " + (
        "correct the path"
    )


def test_an_emptied_file_is_no_empty_configuration(tmp_path: Path) -> None:
    assert problems(tmp_path, "") == ["monitor.yaml:1: the file is empty; write the configuration into it"]


def test_the_hash_follows_the_content_of_every_file(tmp_path: Path) -> None:
    first = loaded(tmp_path).content_hash
    assert loaded(tmp_path).content_hash == first
    assert len(first) == hashlib.sha256().digest_size * 2
    assert loaded(tmp_path, intents=INTENTS + "# a word\n").content_hash != first
    assert loaded(tmp_path, CONFIG + "# a word\n").content_hash != first


def test_a_swapped_symlink_changes_the_hash(tmp_path: Path) -> None:
    for name, words in (("old", ""), ("new", "# a word\n")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, CONFIG + words)
    link = tmp_path / "current"
    link.symlink_to("old")
    before = load(link / "monitor.yaml", {}).content_hash
    link.unlink()
    link.symlink_to("new")
    assert load(link / "monitor.yaml", {}).content_hash != before


def test_suites_share_a_file_of_intents(tmp_path: Path) -> None:
    config = loaded(tmp_path, CONFIG + SUITE.replace("baseline", "second"))
    assert config.suites["baseline"].intents == config.suites["second"].intents
    (problem,) = problems(tmp_path, CONFIG + SUITE.replace("baseline", "second"), "intents: 3\n")
    assert problem == "intents.yaml:1: intents: is a whole number; must be a list; write [one, two] or lines that " + (
        "begin with `-`"
    )


def test_problems_without_end_are_cut(tmp_path: Path) -> None:
    found = problems(tmp_path, CONFIG + "".join(f"unknown{n}: 1\n" for n in range(300)))
    assert len(found) == 201
    assert found[-1] == "... and 100 problems more"


@pytest.mark.parametrize(
    ("config", "warning"),
    [
        (CONFIG, "notify: no channel"),
        (
            CONFIG.replace("intents.yaml}", "intents.yaml, schedule: {every: 30m}}"),
            "suites.baseline: timeout is longer",
        ),
        (
            CONFIG.replace("kind: scripted", "kind: userlm, model: {name: microsoft/UserLM-8b}"),
            "simulator.model.revision: not pinned",
        ),
    ],
)
def test_what_is_allowed_and_hardly_meant_is_warned_of(tmp_path: Path, config: str, warning: str) -> None:
    assert any(line.startswith(warning) for line in loaded(tmp_path, config).warnings)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["4h", "x", "a/b"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=5,
)
PATHS = [
    ("simulator",),
    ("simulator", "model"),
    ("simulator", "guardrails", "preset"),
    ("simulator", "servers"),
    ("assistants", "production", "headers"),
    ("assistants", "production", "url"),
    ("assistants", "production", "extra_body"),
    ("suites", "baseline", "schedule"),
    ("suites", "baseline", "schedule", "cron"),
    ("suites", "baseline", "intents"),
    ("suites", "baseline", "assistant"),
    ("scoring", "weights"),
    ("notify", "slack"),
    ("notify", "slack", "token_file"),
    ("notify", "slack", "webhook_url_env"),
    ("store", "url"),
    ("server", "pages"),
    ("redact", "patterns"),
    ("suites",),
    ("assistants",),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.sampled_from(PATHS), VALUES)
def test_any_value_anywhere_is_loaded_or_refused(tmp_path: Path, path: tuple[str, ...], value: object) -> None:
    data = YAML(typ="safe", pure=True).load(CONFIG)
    place = data
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = value
    target = write(tmp_path)
    with target.open("w", encoding="utf-8", errors="surrogatepass") as file:
        YAML(typ="safe", pure=True).dump(data, file)
    try:
        load(target, {"x": "y"})
    except ConfigError as refusal:
        assert all(line.partition(":")[0].endswith(".yaml") for line in refusal.problems)
