"""What every command shares: where the configuration is, and how to speak to people and machines."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import IO, Any, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.text import Text

from monitor.config import Config, load
from monitor.errors import ConfigError
from monitor.logs import configure_logging

P = ParamSpec("P")
T = TypeVar("T")
CONFIG_VARIABLE = "ASSISTANT_MONITOR_CONFIG"
CONFIG_PLACES = (Path("config/monitor.yaml"), Path("/etc/assistant-monitor/monitor.yaml"))


class Output(Console):
    """Where people read. No text is taken for markup, because strangers wrote some of it."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)

    def say(self, text: str | Text) -> None:
        """Show a line, broken by the terminal alone."""
        self.print(text, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Go on without a reader: what the command answers does not depend on who reads."""
        _discard(self.file)


terminal = Output(stderr=True)
"""Where a command says how it goes; standard output is left to results."""


def config_option(command: Callable[..., T]) -> Callable[..., T]:
    """The option `--config`, handed on as a `Path`."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar=CONFIG_VARIABLE,
        show_envvar=True,
        help=f"Configuration file. Without it: {', then '.join(map(str, CONFIG_PLACES))}.",
    )(command)


def config_file(path: Path | None) -> Path:
    """The file that was named, or the first that lies where configurations lie. Raises ConfigError."""
    if path is None:
        path = next((place for place in CONFIG_PLACES if os.access(place, os.F_OK)), None)
    if path is None:
        places = " nor ".join(map(str, CONFIG_PLACES))
        raise ConfigError([f"no configuration: there is neither {places}; name a file with --config FILE"])
    return path


def read_config(path: Path | None) -> Config:
    """The configuration. Raises ConfigError."""
    return load(config_file(path), os.environ)


def log_as_configured(config: Config, *, level: str | None = None) -> None:
    """Start logging, secrets replaced. Commands that people watch raise the level."""
    from monitor.bootstrap.parts import redactor  # it knows every part of the monitor, and takes its time

    logging = config.settings.logging
    configure_logging(level or logging.level, logging.format, redactor(config))


def runs_async(command: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Let click call a coroutine."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return asyncio.run(_ended_by_sigterm(command(*args, **kwargs)))

    return run


async def _ended_by_sigterm(command: Coroutine[Any, Any, T]) -> T:
    """Let SIGTERM cancel the command, so that what it began is put in order. Raises CancelledError."""
    task = asyncio.current_task()
    if task is not None and threading.current_thread() is threading.main_thread():
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await command


def tell(text: str, *, err: bool = False) -> None:
    """A line on standard output, or on standard error. A reader who left is no failure."""
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        _discard(sys.stderr if err else sys.stdout)


def put(data: bytes) -> None:
    """Bytes on standard output, whatever the locale. A reader who left is no failure."""
    try:
        click.echo(data, nl=False)
    except BrokenPipeError:
        _discard(sys.stdout)


def print_json(value: object) -> None:
    """One JSON object on standard output, in ASCII: inert on every terminal, and written in every locale.

    Raises ValueError for NaN, which is no JSON.
    """
    tell(json.dumps(value, allow_nan=False, default=str))


def _discard(stream: IO[str]) -> None:
    """Let whatever is still written to the stream go nowhere, the interpreter's last flush included."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def choose_suite(config: Config, name: str | None) -> str:
    """The suite of that name, or the only one. Raises ConfigError."""
    names = ", ".join(config.suites)
    if name is None and len(config.suites) == 1:
        return next(iter(config.suites))
    if name is None:
        raise ConfigError([f"{config.path} has several suites; choose one with --suite: {names}"])
    if name not in config.suites:
        raise ConfigError([f"{config.path} has no suite {name!r}; there is: {names}"])
    return name
