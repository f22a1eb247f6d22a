"""`simulate`: one conversation, watched."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.cli.commands import ANSWER, Run, two_suites, write_config
from tests.fixtures.assistants import ScriptedAssistant, ServeAssistant, never_answers, says

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def assistant(serve_assistant: ServeAssistant) -> ScriptedAssistant:
    return await serve_assistant(lambda _: says(ANSWER))


async def test_turns_and_score_are_shown(assistant: ScriptedAssistant, tmp_path: Path, run: Run) -> None:
    path = write_config(tmp_path, assistant.url)
    done = await asyncio.to_thread(run, "simulate", "how-long", "--seed", "5", "--config", path)
    user, reply, _, end, score, task, item, *_ = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert user == "     user  how long can shoes be returned"
    assert reply.startswith(f"assistant  {ANSWER} (0.")
    assert (end, score) == ("completed (user_ended)", "score 1.00, seed 5")
    assert (task, item) == ("  task 1.00", "    days: 1.00  found")


async def test_a_turn_is_shown_before_it_is_answered(serve_assistant: ServeAssistant, tmp_path: Path) -> None:
    server = await serve_assistant(lambda _: never_answers())
    command = [sys.executable, "-m", "monitor", "simulate", "how-long"]
    process = await asyncio.create_subprocess_exec(
        *command, "--config", str(write_config(tmp_path, server.url)), cwd=ROOT, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"     user  how long can shoes be returned\n"
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    assert (process.returncode, said) == (130, b"\nstopped\n")


async def test_nothing_is_stored(assistant: ScriptedAssistant, tmp_path: Path, run: Run) -> None:
    await asyncio.to_thread(run, "simulate", "how-long", "--config", write_config(tmp_path, assistant.url))
    assert not (tmp_path / "state").exists()


async def test_json_is_one_object_at_the_end(assistant: ScriptedAssistant, tmp_path: Path, run: Run) -> None:
    path = write_config(tmp_path, assistant.url)
    done = await asyncio.to_thread(run, "simulate", "how-long", "--json", "--seed", "5", "--config", path)
    report = done.json()
    assert (report["intent"], report["seed"], report["outcome"], report["score"]) == ("how-long", 5, "completed", 1.0)
    assert report["turns"] == [
        {"role": "user", "text": "how long can shoes be returned"},
        {"role": "assistant", "text": ANSWER},
    ]
    assert {"id": "days", "value": 1.0, "reason": "found"} in report["items"]


def test_a_failure_of_the_assistant_is_told(tmp_path: Path, run: Run) -> None:
    done = run("simulate", "how-long", "--config", write_config(tmp_path))
    assert done.code == 0
    assert "assistant_error (connection_failed)" in done.out
    assert "score not measured (" in done.out


def test_an_unknown_intent_is_refused_with_the_known_ones(tmp_path: Path, run: Run) -> None:
    done = run("simulate", "how-tall", "--config", write_config(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert "suite shop has no intent 'how-tall'; there is: how-long, what-cost" in done.err


def test_a_suite_must_be_chosen(tmp_path: Path, run: Run) -> None:
    done = run("simulate", "how-long", "--config", write_config(tmp_path, suites=two_suites()))
    assert (done.code, done.out) == (2, "")
    assert "choose one with --suite: shop, office" in done.err


@pytest.mark.parametrize("form", [[], ["--json"]])
async def test_a_secret_that_is_echoed_is_not_shown(
    serve_assistant: ServeAssistant, tmp_path: Path, run: Run, form: list[str]
) -> None:
    server = await serve_assistant(lambda request: says(f"{ANSWER} {request.headers['authorization']}"))
    (tmp_path / "key").write_text("hunter2-hunter2")
    section = {"scripted": {"url": server.url, "api_key_file": "key"}}
    path = write_config(tmp_path, server.url, assistants=section)
    done = await asyncio.to_thread(run, "simulate", "how-long", *form, "--config", path)
    assert server.received[0].headers["authorization"] == "Bearer hunter2-hunter2"
    assert done.code == 0
    assert "redacted:" in done.out
    assert "hunter2" not in done.out + done.err
