"""Assistants that we did not write, monitored by `check` and by `run`, whole and streamed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.check import CheckRecord, CheckStatus, Conversation
from monitor.demo.receivers import Receivers
from monitor.store import Store
from monitor.transcript import EndReason, Outcome, Role, Turn
from tests.cli.commands import notify
from tests.e2e.daemon import ROOT, DaemonProcess
from tests.fixtures.foreign import ForeignServer

pytestmark = pytest.mark.model

MODES = ("whole", "streamed")
MOST_TOKENS = 24
ABOUT_THE_MONITOR = {"match": {"scopes": ["monitor/*"]}, "channels": []}
"""Checks every second outlast their interval on a slow machine, which is told."""
QUESTION = "What is the capital of France?"
INTENTS: list[dict[str, Any]] = [
    {
        "id": "capital",
        "description": "You are a user who wants to know something about France.",
        "script": [QUESTION, "Tell me the story of that city."],
        "max_turns": 2,
        "checklist": [{"id": "paris", "kind": "required_fact", "patterns": ["Paris"]}],
    },
    {
        "id": "week",
        "description": "You are a user who wants to know something about the calendar.",
        "script": ["How many days are in a week?"],
        "checklist": [
            {"id": "seven", "kind": "required_fact", "number": 7},
            {"id": "eight", "kind": "required_fact", "number": 8, "critical": True},
        ],
    },
]
STORY: dict[str, Any] = {
    "id": "story",
    "description": "You are a user who wants to hear a story.",
    "script": ["Tell me a long story about a dog and a ship."],
    "checklist": [{"id": "dog", "kind": "required_fact", "patterns": ["dog"]}],
}


def write_config(
    folder: Path,
    server: ForeignServer,
    intents: list[dict[str, Any]],
    *,
    model: str | None = None,
    most_tokens: int = MOST_TOKENS,
    schedule: object = None,
    **sections: object,
) -> Path:
    """One suite for each way of asking."""
    (folder / "intents.yaml").write_text(json.dumps({"intents": intents}))
    asked = {"url": server.url, "model": model or server.model, "concurrency": 1, "turn_timeout": "240s"}
    extra = {"extra_body": {"temperature": 0, "max_tokens": most_tokens}}
    whole: dict[str, object] = {
        "environment": "test",
        "state_dir": ".",
        "simulator": {"kind": "scripted"},
        "assistants": {mode: {**asked, **extra, "stream": mode == "streamed"} for mode in MODES},
        "suites": {
            mode: {"assistant": mode, "intents": "intents.yaml", "rounds": 1, "schedule": schedule} for mode in MODES
        },
        "alerting": {"rule": "mean"},
        "server": {"metrics": "127.0.0.1:0", "pages": "127.0.0.1:0"},
        "logging": {"format": "text"},
    }
    path = folder / "monitor.yaml"
    path.write_text(json.dumps(whole | sections, indent=1))
    return path


@dataclass(frozen=True)
class Checked:
    """What `check --json` printed, and what it stored."""

    code: int
    report: dict[str, Any]
    conversations: dict[str, Conversation]

    def replies(self, intent: str) -> tuple[Turn, ...]:
        return self.conversations[intent].transcript.assistant_turns

    @property
    def texts(self) -> dict[str, list[str]]:
        return {intent: [reply.text for reply in self.replies(intent)] for intent in self.conversations}


def start_check(config: Path, mode: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "monitor", "check", "--json", "--suite", mode, "--config", str(config)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish_check(config: Path, process: subprocess.Popen[str]) -> Checked:
    with process:
        try:
            out, err = process.communicate(timeout=280)
        finally:
            process.kill()
    assert out, err
    report = json.loads(out)
    store = Store.open(f"sqlite:///{config.parent / 'monitor.sqlite3'}")
    conversations = {c.intent_id: c for c in store.conversations(report["check_id"])}
    store.close()
    return Checked(process.returncode, report, conversations)


def run_check(config: Path, mode: str) -> Checked:
    return finish_check(config, start_check(config, mode))


@pytest.fixture(scope="module")
def checks(foreign_server: ForeignServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checked]:
    config = write_config(tmp_path_factory.mktemp("checks"), foreign_server, INTENTS)
    return {mode: run_check(config, mode) for mode in MODES}


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def checked(checks: dict[str, Checked], mode: str) -> Checked:
    return checks[mode]


def test_both_conversations_are_completed_in_all_their_turns(checked: Checked) -> None:
    report = checked.report
    assert (report["outcomes"], report["error_count"]) == ({"completed": 2}, 0)
    assert {result["intent"]: result["turns"] for result in report["results"]} == {"capital": 2, "week": 1}
    assert all(len(text.split()) >= 3 for texts in checked.texts.values() for text in texts)


def test_each_item_is_decided_on_the_reply(checked: Checked) -> None:
    values = {item.id: item.value for c in checked.conversations.values() for item in c.score.items}
    assert (values["paris"], values["seven"], values["eight"]) == (1.0, 1.0, 0.0)
    assert {intent["intent"]: intent["passed"] for intent in checked.report["intents"]} == {"capital": 1, "week": 0}
    assert checked.report["success_rate"] == 0.5


def test_a_reply_is_what_anybody_would_be_told(checked: Checked, foreign_server: ForeignServer) -> None:
    body = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": MOST_TOKENS, "temperature": 0}
    told = httpx.post(f"{foreign_server.url}/chat/completions", json=body, timeout=60, trust_env=False).json()
    assert checked.replies("capital")[0].text == told["choices"][0]["message"]["content"]


def test_streaming_changes_nothing_that_is_said(checks: dict[str, Checked]) -> None:
    assert checks["streamed"].texts == checks["whole"].texts


def test_the_turns_reach_the_server_as_one_conversation(checked: Checked, smollm2_folder: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2_folder)
    turns = checked.conversations["capital"].transcript.turns
    said = [{"role": turn.role.value, "content": turn.text} for turn in turns]
    for index, turn in enumerate(turns):
        if turn.role is Role.ASSISTANT:
            prompt = tokenizer.apply_chat_template(said[:index], add_generation_prompt=True, tokenize=False)
            assert turn.usage is not None
            assert turn.usage.prompt_tokens == len(tokenizer.tokenize(str(prompt)))


def test_a_reply_that_was_cut_off_is_known_as_such(checked: Checked) -> None:
    answer, story = checked.replies("capital")
    assert (answer.finish_reason, story.finish_reason) == ("stop", "length")
    assert answer.usage is not None and story.usage is not None
    assert 0 < (answer.usage.completion_tokens or 0) < MOST_TOKENS
    assert story.usage.completion_tokens == MOST_TOKENS
    (conduct,) = [c for c in checked.conversations["capital"].score.components if c.name == "conduct"]
    assert conduct.value == 0.75


def test_times_are_those_of_the_reply(checked: Checked, mode: str) -> None:
    transcript = checked.conversations["capital"].transcript
    latencies = [reply.latency_seconds or 0 for reply in transcript.assistant_turns]
    firsts = [reply.first_token_seconds for reply in transcript.assistant_turns]
    assert all(latency > 0 for latency in latencies)
    assert sum(latencies) <= transcript.duration_seconds
    if mode == "whole":
        assert firsts == [None, None]
    else:
        # Most of a reply of 24 tokens comes after its first.
        assert all(first and first < latency for first, latency in zip(firsts, latencies, strict=True))
        assert (firsts[1] or 0) < 0.9 * latencies[1]


def test_a_wrong_name_of_the_model_is_told_in_the_servers_words(
    foreign_server: ForeignServer, mode: str, tmp_path: Path
) -> None:
    checked = run_check(write_config(tmp_path, foreign_server, INTENTS, model="nobody"), mode)
    transcript = checked.conversations["week"].transcript
    assert checked.code == 1
    assert (transcript.outcome, transcript.end) == (Outcome.ASSISTANT_ERROR, EndReason.HTTP_STATUS)
    assert transcript.detail.startswith("HTTP 40")
    assert "'nobody'" in transcript.detail


async def test_a_crash_is_told_by_the_daemon_and_its_end_too(
    foreign_server: ForeignServer, receivers: Receivers, tmp_path: Path
) -> None:
    config = write_config(
        tmp_path,
        foreign_server,
        INTENTS[:1],
        schedule={"every": "1s"},
        notify=notify(tmp_path, receivers) | {"routes": [ABOUT_THE_MONITOR, {"channels": ["slack", "pagerduty"]}]},
        alerting={"rule": "mean", "recovery_checks": 1},
    )
    everywhere = {(channel, f"{mode}/overall") for channel in ("pagerduty", "slack") for mode in MODES}
    with DaemonProcess(config) as daemon:
        await daemon.until(lambda: suites(daemon.checks(), CheckStatus.HEALTHY) == set(MODES), "both healthy")
        # Under load a server of others may fail once by itself: that is told and taken back before.
        await daemon.until(lambda: standing(receivers) == set(), "nothing open")
        foreign_server.kill()
        await daemon.until(lambda: standing(receivers) == everywhere, "the open of both suites on both channels")
        ends = ends_that_opened(config.parent)
        await asyncio.to_thread(foreign_server.start)
        await daemon.until(lambda: standing(receivers) == set(), "the end of both suites on both channels")
        assert await daemon.stop() == 0
    assert ends == {EndReason.CONNECTION_FAILED}


def suites(checks: list[CheckRecord], status: CheckStatus) -> set[str]:
    return {check.suite for check in checks if check.status is status}


def standing(receivers: Receivers) -> set[tuple[str, str]]:
    """(channel, scope) of what was opened and not yet closed there."""
    last = {(told["channel"], told["dedup_key"].rpartition(":")[2]): told["kind"] for told in receivers.deliveries()}
    return {where for where, kind in last.items() if kind == "open"}


def ends_that_opened(folder: Path) -> set[EndReason]:
    """How the conversations of those checks ended that opened the incidents that are open."""
    store = Store.open(f"sqlite:///{folder / 'monitor.sqlite3'}")
    opened_by = {incident.opened_by_check or "" for incident in store.incidents() if incident.closed_at is None}
    ends = {conversation.transcript.end for check_id in opened_by for conversation in store.conversations(check_id)}
    store.close()
    return ends


def test_a_crash_in_the_middle_of_a_reply_is_a_failed_connection(
    foreign_server: ForeignServer, mode: str, tmp_path: Path
) -> None:
    foreign_server.start()
    config = write_config(tmp_path, foreign_server, [STORY], most_tokens=1000)
    checking = start_check(config, mode)
    foreign_server.wait_until_busy(1.5)  # the whole story takes many times that
    foreign_server.kill()
    checked = finish_check(config, checking)
    transcript = checked.conversations["story"].transcript
    assert (checked.code, checked.report["average_score"]) == (1, 0.0)
    assert (transcript.outcome, transcript.end) == (Outcome.ASSISTANT_ERROR, EndReason.CONNECTION_FAILED)
    assert ("incomplete" in transcript.detail) is (mode == "streamed")  # the answer had begun
