"""`canaries` by command: a table or JSON, and an exit code that is not the assistant's."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from monitor.store import Store
from tests.cli.commands import Run, write_config
from tests.cli.test_judged import always
from tests.fixtures.assistants import ServeAssistant


def test_the_canaries_are_scored_stored_and_told_apart(tmp_path: Path, run: Run) -> None:
    config = write_config(tmp_path)
    first, second = (run("canaries", "--config", config, "--json") for _ in range(2))
    found = second.json()
    assert (first.code, second.code, found["is_sick"]) == (0, 0, False)
    assert found["auc"] >= 0.95
    assert (first.json()["flips"], found["flips"]) == (None, 0)
    assert len(found["results"]) == found["scored"] >= 60
    assert len(found["left_out"]) > 0
    store = Store.open(f"sqlite:///{tmp_path}/state/monitor.sqlite3")
    newest = store.canary_run(found["epoch"])
    store.close()
    assert newest and newest.id == found["id"]


def test_a_table_tells_the_kinds_what_is_wrong_and_what_is_left_out(tmp_path: Path, run: Run) -> None:
    done = run("canaries", "--config", write_config(tmp_path))
    lines = done.out.splitlines()
    assert lines[0].split() == ["label", "kind", "n", "mean", "passed"]
    assert any(line.split()[:3] == ["bad", "null_reply", "3"] for line in lines)
    assert "AUC 0.9" in done.out
    assert "they need a judge" in done.out
    assert lines[-1] == "no alarm"


async def test_a_judge_that_says_yes_to_all_makes_the_monitor_sick(
    tmp_path: Path, run: Run, serve_assistant: ServeAssistant
) -> None:
    judge = await serve_assistant(always("yes"))
    config = write_config(tmp_path, judge={"url": judge.url}, scoring={"weights": {"task": 0.1, "quality": 0.9}})
    done = await asyncio.to_thread(run, "canaries", "--config", config)
    assert done.code == 4
    assert "the monitor is sick: the AUC is 0." in done.out


async def test_a_judge_that_gives_no_answer_is_no_number(
    tmp_path: Path, run: Run, serve_assistant: ServeAssistant
) -> None:
    judge = await serve_assistant(always("perhaps"))
    config = write_config(tmp_path, judge={"url": judge.url})
    found = (await asyncio.to_thread(run, "canaries", "--config", config, "--json")).json()
    assert (found["scored"], found["auc"], found["alarms"][0]["rule"]) == (0, None, "not_scored")
    assert all(result["score"] is None for result in found["results"])


def test_without_the_component_that_tells_them_apart_nothing_is_scored(tmp_path: Path, run: Run) -> None:
    done = run("canaries", "--config", write_config(tmp_path, scoring={"weights": {"conduct": 1.0}}))
    assert done.code == 3
    assert "scoring.weights has no task" in done.out


def test_json_is_one_object(tmp_path: Path, run: Run) -> None:
    done = run("canaries", "--config", write_config(tmp_path), "--json")
    assert json.loads(done.out.splitlines()[0])["canaries"]
    assert len(done.out.splitlines()) == 1
