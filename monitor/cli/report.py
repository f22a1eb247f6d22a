"""`report`: a stored check as files to send, to keep, and for programs that read test results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import click

from monitor.bootstrap.check_reports import circumstances
from monitor.bootstrap.parts import open_store
from monitor.check_report import Format, find_check, gather, render_report, require_writable, write_report
from monitor.check_report.excerpts import CONVERSATIONS
from monitor.cli.context import config_option, log_as_configured, put, read_config, tell
from monitor.cli.exit_codes import ExitCode
from monitor.errors import ConfigError
from monitor.text import printable

T = TypeVar("T")
STDOUT = "-"
_WHAT = {
    Format.HTML: "One HTML file that needs nothing else.",
    Format.JUNIT: "JUnit XML, a test case for each intent.",
    Format.MARKDOWN: "Markdown for a comment on a pull request.",
    Format.JSON: "One JSON object.",
}


def _format_options(command: Callable[..., T]) -> Callable[..., T]:
    """An option for each format, in their order."""
    for form, what in reversed(_WHAT.items()):
        option = click.option(
            f"--{form}",
            str(form),
            is_flag=False,
            flag_value=STDOUT,
            metavar="[FILE]",
            type=click.Path(dir_okay=False, allow_dash=True),
            help=f"{what} Into a file; `-` or nothing: standard output.",
        )
        command = option(command)
    return command


@click.command()
@click.argument("check")
@_format_options
@config_option
@click.option(
    "--conversations",
    type=click.IntRange(min=0, max=200),
    default=CONVERSATIONS,
    show_default=True,
    help="So many are shown turn by turn, the worst first.",
)
def report(check: str, config_path: Path | None, *, conversations: int, **formats: str | None) -> int:
    """Report a stored CHECK: its id or the beginning of it, `latest`, or `latest:SUITE`.

    Several formats may be written at once. Exit code: 0 it is written, 2 there is no such check or a file cannot be
    written, 4 infrastructure. What the check found does not change it.
    """
    wanted = {Format(name): target for name, target in formats.items() if target is not None}
    printed, files = _printed(wanted), {form: Path(target) for form, target in wanted.items() if target != STDOUT}
    require_writable(files)
    config = read_config(config_path)
    log_as_configured(config, level="warning")
    store = open_store(config)
    try:
        found = find_check(store, check)
        told = gather(store, found, circumstances(config, found.suite), most_conversations=conversations)
    finally:
        store.close()
    write_report(told, files)
    for form, path in files.items():
        tell(f"{form}: {printable(str(path))}", err=True)
    if printed:
        put(render_report(told, printed))
    return ExitCode.HEALTHY


def _printed(wanted: Mapping[Format, str]) -> Format | None:
    """The format for standard output, if one is. Raises ConfigError."""
    if not wanted:
        names = ", ".join(f"--{form}" for form in Format)
        raise ConfigError([f"choose what is written: {names}, each with a file or `-`"])
    printed = [form for form, target in wanted.items() if target == STDOUT]
    if len(printed) > 1:
        names = " and ".join(f"--{form}" for form in printed)
        raise ConfigError([f"{names} cannot both go to standard output; name a file for one of them"])
    if printed == [Format.HTML] and sys.stdout.isatty():
        raise ConfigError(
            ["--html: a terminal shows no pages; name a file (--html report.html) or send it into a pipe"]
        )
    return printed[0] if printed else None
