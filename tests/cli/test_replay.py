"""`replay`: a series from anywhere, through the rules and the alert machine."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import ConfigError
from monitor.machine import AlertPolicy
from monitor.rules.mean import MeanPolicy
from monitor.rules.policy import IntentPolicy, RulesPolicy
from monitor.studies.replay import Replay, read
from monitor.verdict import Severity
from tests.cli.commands import Done, Run, write_config
from tests.parties import T0

HEAD = "check,round,intent,score\n"


def series(path: Path, *parts: tuple[int, float], intents: int = 20, rounds: int = 10) -> Path:
    """So many checks whose scores are 1 with this chance, part after part."""
    draw, checks = random.Random(1), [share for count, share in parts for _ in range(count)]
    lines = [
        f"c{number},{place},i{intent},{int(draw.random() < share)}\n"
        for number, share in enumerate(checks)
        for place in range(rounds)
        for intent in range(intents)
    ]
    path.write_text(HEAD + "".join(lines))
    return path


def objects(done: Done) -> list[dict[str, Any]]:
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def effects(done: Done) -> list[tuple[str, str]]:
    """The check and the kind of each effect, messages by what they say; the leading rule may change meanwhile."""
    return [
        (str(check["check"]), str(effect.get("kind") or effect["effect"]))
        for check in objects(done)
        for effect in check["effects"]
        if effect["effect"] != "UpdateIncident"
    ]


def test_a_fall_opens_one_incident_in_its_first_check_and_its_end_closes_it(tmp_path: Path, run: Run) -> None:
    done = run("replay", series(tmp_path / "s.csv", (20, 0.9), (3, 0.4), (4, 1.0)))
    assert effects(done) == [
        ("c20", "OpenIncident"),
        ("c20", "open"),
        ("c24", "CloseIncident"),
        ("c24", "resolve"),
    ]


def test_every_check_tells_verdicts_alerts_and_effects(tmp_path: Path, run: Run) -> None:
    (check,) = objects(run("replay", series(tmp_path / "s.csv", (1, 0.3))))
    assert set(check) == {"check", "at", "verdicts", "alerts", "effects"}
    assert {v["rule"]: v["finding"] for v in check["verdicts"]}["quality"] == "breach"
    assert check["alerts"][0]["scope"] == "series/overall"


def test_what_was_not_scored_is_no_failure(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "s.csv"
    path.write_text(HEAD + "".join(f"a,{n},i{i},{'' if n < 1 else 1}\n" for n in range(8) for i in range(9)))
    (check,) = objects(run("replay", path))
    assert {v["rule"]: v["value"] for v in check["verdicts"]}["quality"] == 1.0


def test_the_rule_mean_of_a_suite_is_tried_as_well(tmp_path: Path, run: Run) -> None:
    config = write_config(tmp_path, alerting={"rule": "mean", "threshold": 0.7, "recovery_checks": 2})
    path = series(tmp_path / "s.csv", (3, 0.9), (3, 0.2), (3, 0.9))
    done = run("replay", path, "--suite", "shop", "--config", config)
    assert effects(done) == [("c3", "OpenIncident"), ("c3", "open"), ("c7", "CloseIncident"), ("c7", "resolve")]


def test_the_rules_of_a_suite_can_be_tried(tmp_path: Path, run: Run) -> None:
    config = write_config(tmp_path, alerting={"rule": "mean", "threshold": 0.2})
    done = run("replay", series(tmp_path / "s.csv", (1, 0.5)), "--suite", "shop", "--config", config)
    assert effects(done) == []
    assert run("replay", tmp_path / "s.csv", "--suite", "other", "--config", config).code == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: no column check, round, intent, score"),
        ("check,intent,score\n", "line 1: no column round"),
        (HEAD, "no line with a score"),
        (f"{HEAD}a,1,i,1.5\n", "line 2: score 1.5 is not between 0 and 1"),
        (f"{HEAD}a,1,i,nan\n", "line 2: score nan is not between 0 and 1"),
        (f"{HEAD}a,1,i,yes\n", "line 2: score 'yes' is no number; leave it empty"),
        (f"{HEAD}a,one,i,1\n", "line 2: round 'one' is no whole number"),
        (f"{HEAD}a,1,,1\n", "line 2: check and intent must be named"),
        (f"{HEAD}a,1,overall,1\n", "an intent not overall"),
        (f"{HEAD}a,1,i,1\na,1,i,0\n", "line 3: round 1 of i in check a stands there twice"),
        (f'{HEAD}a,1,"i,1\n', "no CSV"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem.replace("(", r"\(")):
        read(text.splitlines(keepends=True))


def test_a_wrong_file_ends_with_the_configurations_exit_code(tmp_path: Path, run: Run) -> None:
    (tmp_path / "s.csv").write_text(f"{HEAD}a,1,i,7\n")
    done = run("replay", tmp_path / "s.csv")
    assert done.code == 2
    assert "not between 0 and 1" in done.err


def test_a_critical_intent_opens_beside_a_warning_about_the_suite(tmp_path: Path) -> None:
    replay = Replay(
        suite="shop",
        rules=RulesPolicy(
            quality=None,
            regression=None,
            intent=IntentPolicy(),
            mean=MeanPolicy(threshold=0.7, severity=Severity.WARNING),
        ),
        policy=AlertPolicy.everywhere("slack"),
        start=T0,
        every=timedelta(hours=4),
        critical=frozenset({"i0"}),
    )
    path = series(tmp_path / "s.csv", (12, 1.0), (3, 0.0), intents=2)
    *_, last = replay.run(read(path.read_text().splitlines()))
    assert {state.scope for state in last.alerts} == {"shop/overall", "shop/i0"}
