"""`validate`: what is in force, or everything that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor.cli.context import CONFIG_VARIABLE
from monitor.demo.receivers import Receivers
from tests.cli.commands import INTENTS, Run, notify, two_suites, write_config


def test_a_valid_configuration_is_told(tmp_path: Path, run: Run) -> None:
    path = write_config(tmp_path)
    done = run("validate", "--config", path)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{path} is valid")
    assert "2 conversations (2 x 1) with scripted" in done.out


def test_json_tells_the_same_to_machines(tmp_path: Path, run: Run) -> None:
    done = run("validate", "--json", "--config", write_config(tmp_path))
    told = done.json()
    assert done.code == 0
    assert told["settings"]["environment"] == "test"
    assert told["suites"]["shop"]["conversations"] == 2
    assert {"path", "content_hash", "warnings"} <= set(told)
    assert any("below the threshold" in rule for rule in told["suites"]["shop"]["rules"])


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_secret_is_told(form: tuple[str, ...], tmp_path: Path, run: Run, receivers: Receivers) -> None:
    done = run("validate", *form, "--config", write_config(tmp_path, notify=notify(tmp_path, receivers)))
    assert done.code == 0
    assert "#on-call" in done.out
    assert "xoxb-1234567890" not in done.out
    assert "0123456789abcdef" not in done.out


def test_every_problem_is_told_with_file_and_line(tmp_path: Path, run: Run) -> None:
    path = write_config(tmp_path, alerting={"rule": "mean", "threshold": 2.0}, store={"retention": 3})
    lines = path.read_text().splitlines()
    done = run("validate", "--config", path)
    assert (done.code, done.out) == (2, "")
    for key in ("threshold", "retention"):
        number = next(n for n, line in enumerate(lines, 1) if f'"{key}"' in line)
        assert f"{path}:{number}: " in done.err


@pytest.mark.parametrize("command", ["validate", "run", "check", "test-alert", "health"])
def test_without_a_configuration_the_places_are_told(
    command: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(command)
    assert (done.code, done.out) == (2, "")
    assert "config/monitor.yaml nor /etc/assistant-monitor/monitor.yaml" in done.err
    assert "--config" in done.err


def test_the_place_in_the_working_folder_is_found(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    write_config(tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    assert run("validate").out.startswith(f"{tmp_path}/config/monitor.yaml is valid")


def test_the_variable_names_the_configuration(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_config(tmp_path)
    monkeypatch.setenv(CONFIG_VARIABLE, str(path))
    assert run("validate").out.startswith(f"{path} is valid")


def test_the_option_goes_before_the_variable(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "nothing.yaml"))
    assert run("validate", "--config", write_config(tmp_path)).code == 0
    assert "nothing.yaml" in run("validate").err


def test_a_file_that_is_not_there_is_refused(tmp_path: Path, run: Run) -> None:
    done = run("validate", "--config", tmp_path / "nothing.yaml")
    assert done.code == 2
    assert f"{tmp_path}/nothing.yaml:1: " in done.err


def with_intents(folder: Path, **changes: object) -> Path:
    """A configuration whose first intent has these changes; its second one is fair."""
    first, second = INTENTS["intents"]
    told = {"description": "You are a user who wants to know how long shoes can be returned.", **changes}
    fair = {"description": "You are a user who wants to know what shipping boots costs."}
    path = write_config(folder)
    (folder / "intents.yaml").write_text(json.dumps({"intents": [{**first, **told}, {**second, **fair}]}))
    return path


def test_fair_intents_are_not_mentioned(tmp_path: Path, run: Run) -> None:
    done = run("validate", "--strict", "--config", with_intents(tmp_path))
    assert (done.code, done.err) == (0, "")
    assert "shop/how-long" not in done.out


def test_what_an_intent_probably_does_not_mean_is_a_warning(tmp_path: Path, run: Run) -> None:
    path = with_intents(tmp_path, description="You are a user who wants help.")
    done = run("validate", "--config", path)
    assert (done.code, done.err) == (0, "")
    assert "warning    shop/how-long: description: is vague; say what" in done.out


def test_strictly_a_warning_about_an_intent_is_refused(tmp_path: Path, run: Run) -> None:
    path = with_intents(tmp_path, description="You are a user who wants help.")
    done = run("validate", "--strict", "--config", path)
    assert done.code == 2
    assert "shop/how-long: description: is vague" in done.err
    assert "shop/how-long" not in done.out


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_intent_that_gives_its_facts_away_is_refused(form: tuple[str, ...], tmp_path: Path, run: Run) -> None:
    done = run("validate", *form, "--config", with_intents(tmp_path, script=["is it thirty days"]))
    assert done.code == 2
    assert "shop/how-long: checklist.days: is passed by script[0] itself ('thirty days')" in done.err


def test_json_lists_what_was_found_in_intents(tmp_path: Path, run: Run) -> None:
    done = run("validate", "--json", "--config", with_intents(tmp_path, knows=["TODO"]))
    (found,) = done.json()["intents"]
    assert {key: found[key] for key in ("suite", "intent_id", "field", "rule", "severity")} == {
        "suite": "shop",
        "intent_id": "how-long",
        "field": "knows[0]",
        "rule": "placeholder",
        "severity": "error",
    }


def test_intents_that_two_suites_play_are_looked_at_once(tmp_path: Path, run: Run) -> None:
    done = run("validate", "--json", "--config", write_config(tmp_path, suites=two_suites()))
    assert [found["suite"] for found in done.json()["intents"]] == ["shop", "shop"]
