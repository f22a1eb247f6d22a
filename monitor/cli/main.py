"""The group of all commands, and what becomes of an error that none of them handled."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import click

from monitor import __version__
from monitor.cli.check import check
from monitor.cli.context import tell
from monitor.cli.demo import demo
from monitor.cli.engine import engine, models
from monitor.cli.exit_codes import ExitCode, code_of_error
from monitor.cli.run import health, run
from monitor.cli.setup import db, show_validation, test_alert
from monitor.cli.simulate import simulate
from monitor.errors import MonitorError
from monitor.text import printable

log = logging.getLogger(__name__)
LINE_CHARACTERS = 2000


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="assistant-monitor")
def cli() -> None:
    """Simulated users talk to a production assistant; a fall in the answers wakes somebody."""


for command in (demo, run, check, simulate, show_validation, test_alert, db, models, engine, health):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by default that of the process's command line; an `ExitCode`."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what an assistant says may not exist in the locale
    try:
        result = cli.main(arguments, standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        return ExitCode.CONFIGURATION
    except (click.Abort, KeyboardInterrupt):
        tell("stopped", err=True)
        return ExitCode.INTERRUPTED
    except asyncio.CancelledError:
        tell("stopped", err=True)
        return ExitCode.TERMINATED
    except MonitorError as exc:
        lines = (printable(line, LINE_CHARACTERS) for line in str(exc).splitlines())
        tell("assistant-monitor: " + "\n".join(lines), err=True)
        return code_of_error(exc)
    except Exception:
        log.exception("a fault of the monitor itself")
        return ExitCode.INTERNAL
    return result if isinstance(result, int) else ExitCode.HEALTHY
