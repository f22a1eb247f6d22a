"""`check`: one check by command, what it prints and what its exit code says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.check import CheckStatus, Group, Trigger
from monitor.cli.check import show
from monitor.store import Store
from tests.cli.commands import ANSWER, Run, two_suites, write_config
from tests.fixtures.assistants import ScriptedAssistant, ServeAssistant, says
from tests.web.examples import CHECK, SUMMARY

REPORTED = {
    "schema",
    "trigger",
    "interval",
    "threshold",
    "rounds",
    "finished_at",
    "made_at",
    "compared",
    "not_compared",
    "baseline",
    "verdicts",
    "canaries",
    "judge",
    "trend",
    "results_retired",
    "check_id",
    "suite",
    "status",
    "reason",
    "average_score",
    "average_score_completed",
    "standard_error",
    "clustered_error",
    "success_rate",
    "in_spec",
    "out_of_spec",
    "fidelity",
    "task_completion",
    "coherence",
    "helpfulness",
    "average_turns",
    "latency_seconds",
    "total_tests",
    "valid_tests",
    "error_count",
    "outcomes",
    "seed",
    "epoch",
    "started_at",
    "duration_seconds",
    "intents",
    "results",
}


def without_what_passes(report: dict[str, Any]) -> dict[str, Any]:
    """A report less its times and the names that are drawn anew; results by intent."""
    passing = {"check_id", "conversation_id", "started_at", "finished_at", "made_at", "duration_seconds"}
    passing |= {"latency_seconds", "trend"} | {"compared", "not_compared"}
    results = [{key: value for key, value in result.items() if key not in passing} for result in report["results"]]
    kept = {key: value for key, value in report.items() if key not in passing}
    kept["intents"] = sorted(({**one, "change": None} for one in report["intents"]), key=lambda one: str(one["intent"]))
    return kept | {"results": sorted(results, key=lambda result: str(result["intent"]))}


@pytest.fixture
async def assistant(serve_assistant: ServeAssistant) -> ScriptedAssistant:
    return await serve_assistant(lambda _: says(ANSWER))


async def test_a_healthy_assistant_is_shown_and_stored(assistant: ScriptedAssistant, tmp_path: Path, run: Run) -> None:
    done = await asyncio.to_thread(run, "check", "--config", write_config(tmp_path, assistant.url))
    assert done.code == 0
    assert done.out.startswith("shop: healthy")
    assert "average 1.00 ± 0.60 (threshold 0.70), success rate 1.00\n2 completed; " in done.out
    store = Store.open(f"sqlite:///{tmp_path}/state/monitor.sqlite3")
    (stored,) = store.checks()
    store.close()
    assert (stored.status, stored.trigger) == (CheckStatus.HEALTHY, Trigger.MANUAL)
    assert f"check {stored.id}, seed {stored.seed}, epoch {stored.epoch}, " in done.out


async def test_away_from_a_terminal_progress_is_plain_lines(
    assistant: ScriptedAssistant, tmp_path: Path, run: Run
) -> None:
    done = await asyncio.to_thread(run, "check", "--config", write_config(tmp_path, assistant.url))
    lines = [f"{number}/2 conversations, average 1.00, 0 failed" for number in (1, 2)]
    assert done.err.splitlines() == lines


async def test_a_degraded_assistant_is_told_worst_intent_first(
    assistant: ScriptedAssistant, tmp_path: Path, run: Run
) -> None:
    assistant.answer = lambda request: says(ANSWER if "shoes" in request.last_message else "That costs ten euros.")
    done = await asyncio.to_thread(run, "check", "--config", write_config(tmp_path, assistant.url))
    assert done.code == 1
    assert done.out.startswith("shop: degraded")
    assert 0 < done.out.index("what-cost") < done.out.index("how-long")
    assert "is below 0.70" in done.out
    assert "± 0.82 as a claim about intents beyond these" in done.out


async def test_json_is_one_object_on_standard_output(assistant: ScriptedAssistant, tmp_path: Path, run: Run) -> None:
    done = await asyncio.to_thread(run, "check", "--json", "--config", write_config(tmp_path, assistant.url))
    report = done.json()
    assert (done.code, set(report)) == (0, REPORTED)
    assert (report["average_score"], report["success_rate"], report["average_turns"]) == (1.0, 1.0, 1.0)
    assert (report["total_tests"], report["error_count"], len(report["results"])) == (2, 0, 2)
    assert {intent["intent"] for intent in report["intents"]} == {"how-long", "what-cost"}


def test_users_beyond_their_intents_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    summary = replace(SUMMARY, in_spec=Group(conversations=2, mean=0.9), out_of_spec=Group(conversations=1, mean=0.2))
    show(replace(CHECK, summary=summary), 0.7)
    said = capsys.readouterr().out
    assert "average 0.90 over 2 whose user kept to the intent" in said
    assert "average 0.20 over 1 whose user went beyond the intent" in said


async def test_the_json_file_holds_the_same_object(assistant: ScriptedAssistant, tmp_path: Path, run: Run) -> None:
    path, file = write_config(tmp_path, assistant.url), tmp_path / "report.json"
    done = await asyncio.to_thread(run, "check", "--json", "--json-file", file, "--config", path)
    told = await asyncio.to_thread(run, "check", "--json-file", file, "--seed", "7", "--config", path)
    assert done.json()["status"] == "healthy"
    assert '"seed": 7' in file.read_text()
    assert "shop: healthy" in told.out


async def test_what_was_not_measured_is_null(tmp_path: Path, run: Run) -> None:
    off = {"scripted": {"url": "http://127.0.0.1:9/v1", "enabled": False}}
    done = await asyncio.to_thread(run, "check", "--json", "--config", write_config(tmp_path, assistants=off))
    report = done.json()
    assert (done.code, report["status"]) == (3, "inconclusive")
    assert (report["average_score"], report["success_rate"], report["average_turns"]) == (None, None, None)
    assert {(result["end"], result["score"]) for result in report["results"]} == {("kill_switch", None)}


def test_too_few_valid_conversations_are_told(tmp_path: Path, run: Run) -> None:
    off = {"scripted": {"url": "http://127.0.0.1:9/v1", "enabled": False}}
    done = run("check", "--config", write_config(tmp_path, assistants=off))
    assert done.code == 3
    assert "average not measured (threshold 0.70), success rate not measured" in done.out
    assert "0 of 2 conversations are valid, 80% are needed" in done.out


def test_an_assistant_that_is_away_is_degraded(tmp_path: Path, run: Run) -> None:
    done = run("check", "--json", "--config", write_config(tmp_path))
    report = done.json()
    assert (done.code, report["status"], report["error_count"]) == (1, "degraded", 2)
    assert (report["average_score"], report["average_score_completed"]) == (0.0, None)


async def test_one_seed_gives_the_same_results_again(assistant: ScriptedAssistant, tmp_path: Path, run: Run) -> None:
    path = write_config(tmp_path, assistant.url)
    reports = [
        (await asyncio.to_thread(run, "check", "--json", "--seed", "11", "--config", path)).json() for _ in range(2)
    ]
    first, second = (without_what_passes(report) for report in reports)
    assert first == second
    assert first["seed"] == 11


async def test_the_suite_that_is_named_is_checked(assistant: ScriptedAssistant, tmp_path: Path, run: Run) -> None:
    path = write_config(tmp_path, assistant.url, suites=two_suites())
    done = await asyncio.to_thread(run, "check", "--suite", "office", "--config", path)
    assert done.code == 0
    assert done.out.startswith("office: healthy")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), "choose one with --suite: shop, office"), (("--suite", "attic"), "no suite 'attic'; there is: shop, office")],
)
def test_a_suite_must_be_chosen(arguments: tuple[str, ...], said: str, tmp_path: Path, run: Run) -> None:
    done = run("check", *arguments, "--config", write_config(tmp_path, suites=two_suites()))
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_database_that_cannot_be_made_is_told(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").write_text("")
    done = run("check", "--config", write_config(tmp_path, state_dir="file/state"))
    assert (done.code, done.out) == (4, "")
    assert "the database's folder cannot be made" in done.err


def test_a_file_that_cannot_be_written_is_told_before_anybody_is_asked(tmp_path: Path, run: Run) -> None:
    done = run("check", "--json-file", tmp_path / "nowhere" / "report.json", "--config", write_config(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert f"{tmp_path}/nowhere is no folder that can be written to" in done.err
    assert not (tmp_path / "state").exists()


def test_an_engine_that_cannot_start_is_told(tmp_path: Path, run: Run) -> None:
    model = {"name": str(tmp_path / "no-model"), "device": "cpu", "dtype": "float32"}
    done = run("check", "--config", write_config(tmp_path, simulator={"kind": "prompted", "model": model}))
    assert (done.code, done.out) == (4, "")
    assert f"'{tmp_path}/no-model' is neither a folder" in done.err
