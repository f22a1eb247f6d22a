"""The command line in this process: its exit code and what it wrote, as another process would see them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from monitor.cli import main
from monitor.cli.context import CONFIG_VARIABLE
from tests.cli.commands import Done, Run


@pytest.fixture(autouse=True)
def plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever terminal the tests are started on, commands write to a pipe 100 characters wide."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command, `run("check", "--config", path)`. A scripted assistant's test calls it in a thread."""
    monkeypatch.delenv(CONFIG_VARIABLE, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def run_command(*arguments: object) -> Done:
        capsys.readouterr()
        code = _with_logging_restored(lambda: _code([str(argument) for argument in arguments]))
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run_command


def _code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as exc:  # argparse, for the engine's own command line
        assert isinstance(exc.code, int)
        return exc.code


def _with_logging_restored(call: Callable[[], int]) -> int:
    """A command sets up logging for its process, which here is that of all tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        return call()
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
