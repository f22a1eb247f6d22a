"""What strangers wrote, shown on a terminal; and readers who leave, or a user who does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from monitor.check import CheckStatus, CheckSummary, IntentSummary
from monitor.cli.check import show
from monitor.store import Store
from monitor.transcript import Outcome
from tests.cli.commands import ANSWER, Run, write_config
from tests.fixtures.assistants import Reaction, Received, ServeAssistant, never_answers, responds, says
from tests.store.samples import an_ended_check

ROOT = Path(__file__).parents[2]
HOSTILE = "\x1b[31m[red]x[/red]\x1b[0m [/] :warning: \x1b]0;title\x07\u202egnp.exe \x9b2Jthirty days \\"
INERT = "[red]x[/red] [/] :warning: gnp.exe thirty days \\"


def assert_inert(text: str) -> None:
    assert [character for character in text if not character.isprintable() and character != "\n"] == []


async def test_a_hostile_reply_is_shown_inert(serve_assistant: ServeAssistant, tmp_path: Path, run: Run) -> None:
    server = await serve_assistant(lambda _: says(HOSTILE))
    done = await asyncio.to_thread(run, "simulate", "how-long", "--config", write_config(tmp_path, server.url))
    assert done.code == 0
    assert f"assistant  {INERT} (" in done.out
    assert_inert(done.out + done.err)


@pytest.mark.parametrize("command", [("simulate", "how-long"), ("check",)])
async def test_a_hostile_reply_is_inert_in_json(
    command: tuple[str, ...], serve_assistant: ServeAssistant, tmp_path: Path, run: Run
) -> None:
    server = await serve_assistant(lambda _: says(HOSTILE))
    done = await asyncio.to_thread(run, *command, "--json", "--config", write_config(tmp_path, server.url))
    assert done.code == 0
    assert done.out.isascii()
    assert_inert(done.out)


@pytest.mark.parametrize(("command", "code"), [(("simulate", "how-long"), 0), (("check",), 1)])
async def test_a_hostile_failure_is_shown_inert(
    command: tuple[str, ...], code: int, serve_assistant: ServeAssistant, tmp_path: Path, run: Run
) -> None:
    server = await serve_assistant(lambda _: responds(400, HOSTILE.encode()))
    done = await asyncio.to_thread(run, *command, "--config", write_config(tmp_path, server.url))
    assert done.code == code
    assert "assistant_error" in done.out
    assert_inert(done.out + done.err)


async def test_a_terminal_that_cannot_spell_a_reply_is_no_failure(
    serve_assistant: ServeAssistant, tmp_path: Path
) -> None:
    server = await serve_assistant(lambda _: says("dreißig Tage"))
    command = [sys.executable, "-m", "monitor", "simulate", "how-long", "--config"]
    process = await asyncio.create_subprocess_exec(
        *command,
        str(write_config(tmp_path, server.url)),
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert b"assistant  drei\\xdfig Tage (" in said


def test_brackets_in_a_table_stay_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("[red]", "[/]", ":warning:")
    intents = tuple(
        IntentSummary(intent_id=name, weight=1.0, critical=False, mean=mean, planned=1, valid=1, passed=0)
        for name, mean in zip(names, (0.2, None, None), strict=True)
    )
    summary = CheckSummary(
        planned=3,
        valid=1,
        mean=0.2,
        mean_scored=None,
        success_rate=0.0,
        average_turns=None,
        outcomes={Outcome.COMPLETED: 1},
        intents=intents,
    )
    show(an_ended_check(suite="[b]", epoch="[/b]", reason="[/] \x1b[2Jbad", summary=summary), threshold=0.7)
    said = capsys.readouterr().out
    assert_inert(said)
    for text in ("[b]: healthy", *names, "; [/] bad\n", "epoch [/b], "):
        assert text in said


async def test_a_secret_that_comes_back_is_never_shown(
    serve_assistant: ServeAssistant, tmp_path: Path, run: Run
) -> None:
    server = await serve_assistant(lambda request: says(f"You sent {request.headers['authorization']}"))
    (tmp_path / "api-key").write_text("correct-horse-battery")
    assistants = {"scripted": {"url": server.url, "api_key_file": "api-key"}}
    path = write_config(tmp_path, assistants=assistants)
    for form in ((), ("--json",)):
        done = await asyncio.to_thread(run, "simulate", "how-long", *form, "--config", path)
        assert "[redacted:secret-1]" in done.out
        assert "battery" not in done.out + done.err


@pytest.mark.parametrize("form", ["| true", "2>&1 | true", "--json | true"])
async def test_a_reader_who_leaves_changes_no_exit_code(
    form: str, serve_assistant: ServeAssistant, tmp_path: Path
) -> None:
    server = await serve_assistant(lambda _: says(ANSWER))
    command = f"{sys.executable} -m monitor check --config {write_config(tmp_path, server.url)}"
    shell = await asyncio.create_subprocess_exec(
        "bash", "-c", f"{command} {form}; exit ${{PIPESTATUS[0]}}", cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, said = await shell.communicate()
    assert shell.returncode == 0
    assert b"Error" not in said


async def test_ctrl_c_ends_a_check_and_says_so(serve_assistant: ServeAssistant, tmp_path: Path) -> None:
    asked = asyncio.Event()

    def answer(_: Received) -> Reaction:
        asked.set()
        return never_answers()

    server = await serve_assistant(answer)
    command = [sys.executable, "-m", "monitor", "check", "--config", str(write_config(tmp_path, server.url))]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=asyncio.subprocess.PIPE)
    await asked.wait()
    os.kill(process.pid, signal.SIGINT)
    _, said = await process.communicate()
    assert process.returncode == 130
    assert said.decode().endswith("stopped\n")
    store = Store.open(f"sqlite:///{tmp_path}/state/monitor.sqlite3")
    assert [check.status for check in store.checks()] == [CheckStatus.CANCELLED]
    store.close()
