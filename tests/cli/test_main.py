"""What every command has in common: how it is found, and which exit code an error leads to."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from monitor import __version__
from monitor.cli import main
from monitor.cli.main import cli
from monitor.errors import ConfigError, EngineFailure, SchemaMismatch
from tests.cli.commands import Run

COMMANDS = [
    "demo",
    "run",
    "check",
    "report",
    "simulate",
    "score",
    "rescore",
    "calibrate",
    "canaries",
    "validate",
    "incidents",
    "silence",
    "maintenance",
    "rebaseline",
    "audit",
    "replay",
    "test-alert",
    "db",
    "models",
    "engine",
    "health",
]


def raising(error: BaseException) -> click.Command:
    def fail() -> None:
        raise error

    return click.Command("fail", callback=fail)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError(["a.yaml:3: x: is wrong", "a.yaml:4: y: too"]), 2, "a.yaml:3: x: is wrong\na.yaml:4: y: too\n"),
        (EngineFailure("no device"), 4, "assistant-monitor: no device\n"),
        (SchemaMismatch("newer"), 4, "assistant-monitor: newer\n"),
        (click.UsageError("not so"), 2, "Error: not so\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
        (click.Abort(), 130, "stopped\n"),
    ],
)
def test_an_error_has_its_exit_code(
    error: BaseException, code: int, said: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cli.commands, "fail", raising(error))
    done = run("fail")
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_a_fault_of_our_own_is_logged_with_its_place(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(cli.commands, "fail", raising(RuntimeError("a bug")))
    assert run("fail").code == 5
    assert "a fault of the monitor itself" in caplog.text
    assert "RuntimeError: a bug" in caplog.text


def test_a_strangers_words_in_an_error_are_inert(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.commands, "fail", raising(EngineFailure("it said \x1b]0;title\x07 and \x1b[2J[red]")))
    assert run("fail").err == "assistant-monitor: it said and [red]\n"


def test_help_lists_every_command(run: Run) -> None:
    done = run("--help")
    listed = [line.split()[0] for line in done.out.partition("Commands:")[2].splitlines() if line]
    assert (done.code, listed) == (0, COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, run: Run) -> None:
    done = run(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.casefold().startswith("usage:")


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out == f"assistant-monitor, version {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("check", "--nonsense"), ("check", "--seed", "-1")])
def test_a_wrong_command_line_is_refused(arguments: tuple[str, ...], run: Run) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Usage: " in done.err


def test_the_process_takes_its_own_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["assistant-monitor", "nonsense"])
    assert main() == 2


def test_health_loads_neither_the_database_nor_the_channels() -> None:
    script = "import sys\nfrom monitor.cli.main import main\nmain(['health', '--help'])\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    assert {"monitor.cli.health", "monitor.config"} <= loaded
    assert loaded.isdisjoint({"sqlalchemy", "slack_sdk", "alembic", "aiohttp", "torch", "starlette"})
