"""Checks whose conversations a judge scores, with real servers for the assistant and the judge."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.cli.commands import ANSWER, Run, write_config
from tests.fixtures.assistants import Answer, Reaction, Received, ScriptedAssistant, ServeAssistant, responds_json, says
from tests.fixtures.judges import answers, asked, verdicts


@pytest.fixture
async def assistant(serve_assistant: ServeAssistant) -> ScriptedAssistant:
    return await serve_assistant(lambda _: says(ANSWER))


async def config(serve: ServeAssistant, folder: Path, assistant: ScriptedAssistant, judge: Answer) -> Path:
    server = await serve(judge)
    prices = {"prompt": 1.0, "completion": 2.0}
    return write_config(folder, assistant.url, judge={"url": server.url, "model": "j", "prices": prices})


async def test_quality_and_the_three_measures_are_reported(
    serve_assistant: ServeAssistant, assistant: ScriptedAssistant, tmp_path: Path, run: Run
) -> None:
    def judge(request: Received) -> Reaction:
        return verdicts(answers(request, lambda question: "keep to its role" not in question))

    path = await config(serve_assistant, tmp_path, assistant, judge)
    done = await asyncio.to_thread(run, "check", "--json", "--config", path)
    report = done.json()
    assert done.code == 0
    assert report["task_completion"] == 1.0
    assert report["coherence"] == pytest.approx(2 / 3)
    assert report["helpfulness"] == 1.0
    assert report["results"][0]["components"]["quality"] == pytest.approx(5 / 6)
    assert report["results"][0]["coherence"] == pytest.approx(2 / 3)


async def test_a_judge_that_fails_is_never_the_assistants_fault(
    serve_assistant: ServeAssistant, assistant: ScriptedAssistant, tmp_path: Path, run: Run
) -> None:
    path = await config(serve_assistant, tmp_path, assistant, lambda _: responds_json({"error": "no such model"}, 404))
    done = await asyncio.to_thread(run, "check", "--json", "--config", path)
    report = done.json()
    assert (done.code, report["status"], report["average_score"]) == (3, "inconclusive", None)
    assert report["outcomes"] == {"judge_error": 2}
    assert "HTTP 404: no such model" in report["results"][0]["detail"]


async def test_a_simulated_conversation_is_judged_too(
    serve_assistant: ServeAssistant, assistant: ScriptedAssistant, tmp_path: Path, run: Run
) -> None:
    server = await serve_assistant(lambda request: verdicts(answers(request, lambda _: True)))
    path = write_config(tmp_path, assistant.url, judge={"url": server.url})
    done = await asyncio.to_thread(run, "simulate", "how-long", "--json", "--config", path)
    items = {item["id"]: item["value"] for item in done.json()["items"]}
    assert (items["keeps_role"], items["clear_end"]) == (1.0, 1.0)
    assert len(asked(server.received[0])) == 6
