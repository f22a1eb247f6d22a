"""Commands with a judge: what is scored by it, and that its standing is told in alerts."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from monitor.calibration import Standing
from monitor.demo.receivers import Receivers
from monitor.store import Store
from tests.cli.commands import Run, notify, write_config
from tests.cli.test_calibrate import labels, write
from tests.fixtures.assistants import Answer, Reaction, Received, ScriptedAssistant, ServeAssistant, says


def always(verdict: str) -> Answer:
    """A judge that gives this verdict on every question."""

    def answer(request: Received) -> Reaction:
        ids = re.findall(r'"id": "(q[\w-]+)"', request.last_message)
        given = [{"id": one, "reason": "so", "turn": None, "quote": None, "verdict": verdict} for one in ids]
        return says(json.dumps({"answers": given}))

    return answer


@pytest.fixture
async def judge(serve_assistant: ServeAssistant) -> ScriptedAssistant:
    return await serve_assistant(always("yes"))


@pytest.fixture
async def config(
    serve_assistant: ServeAssistant, judge: ScriptedAssistant, tmp_path: Path, receivers: Receivers
) -> Path:
    assistant = await serve_assistant(lambda _: says("That costs ten euros."))
    channels = notify(tmp_path, receivers)
    return write_config(tmp_path, assistant.url, judge={"url": judge.url}, notify=channels)


def judge_told(folder: Path) -> Standing | None:
    """What the newest message says of the judge."""
    store = Store.open(f"sqlite:///{folder}/state/monitor.sqlite3")
    try:
        return store.notifications()[-1].alert.judge
    finally:
        store.close()


async def test_conversations_from_elsewhere_are_judged_and_what_that_took_is_told(
    config: Path, tmp_path: Path, run: Run
) -> None:
    talk: dict[str, object] = {
        "id": "a",
        "messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi there"}],
    }
    done = await asyncio.to_thread(run, "score", write(tmp_path, [talk]), "--config", config)
    line = done.json()
    assert (done.code, [component["name"] for component in line["components"]]) == (0, ["quality", "conduct"])
    assert (line["components"][0]["value"], line["judged"]["calls"]) == (1.0, 1)


async def test_an_alert_says_that_the_judge_is_uncalibrated(config: Path, tmp_path: Path, run: Run) -> None:
    assert (await asyncio.to_thread(run, "check", "--alert", "--config", config)).code == 1
    assert judge_told(tmp_path) is Standing.UNCALIBRATED


async def test_an_alert_after_a_calibration_says_calibrated(config: Path, tmp_path: Path, run: Run) -> None:
    done = await asyncio.to_thread(run, "calibrate", write(tmp_path, labels(20, 20)), "--config", config)
    assert done.code == 0
    assert (await asyncio.to_thread(run, "check", "--alert", "--config", config)).code == 1
    assert judge_told(tmp_path) is Standing.CALIBRATED


async def test_an_alert_says_stale_when_the_judge_is_another_one_since(
    config: Path, judge: ScriptedAssistant, tmp_path: Path, run: Run
) -> None:
    await asyncio.to_thread(run, "calibrate", write(tmp_path, labels(20, 20)), "--config", config)
    whole = json.loads(config.read_text())
    config.write_text(json.dumps(whole | {"judge": {"url": judge.url, "model": "another"}}))
    assert (await asyncio.to_thread(run, "check", "--alert", "--config", config)).code == 1
    assert judge_told(tmp_path) is Standing.STALE
