"""The group of all commands, and what becomes of an error that none of them handled."""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import click

from monitor import __version__
from monitor.cli.context import tell
from monitor.cli.exit_codes import ExitCode, code_of_error
from monitor.errors import MonitorError
from monitor.text import printable

log = logging.getLogger(__name__)
LINE_CHARACTERS = 2000


COMMANDS = {
    "demo": "monitor.cli.demo:demo",
    "run": "monitor.cli.run:run",
    "check": "monitor.cli.check:check",
    "report": "monitor.cli.report:report",
    "simulate": "monitor.cli.simulate:simulate",
    "score": "monitor.cli.scoring:score",
    "rescore": "monitor.cli.rescore:rescore",
    "calibrate": "monitor.cli.calibrate:calibrate",
    "canaries": "monitor.cli.canaries:canaries",
    "validate": "monitor.cli.setup:show_validation",
    "incidents": "monitor.cli.incidents:incidents",
    "silence": "monitor.cli.incidents:silence",
    "maintenance": "monitor.cli.maintenance:maintenance",
    "rebaseline": "monitor.cli.rebaseline:rebaseline",
    "audit": "monitor.cli.maintenance:audit",
    "replay": "monitor.cli.replay:replay",
    "test-alert": "monitor.cli.setup:test_alert",
    "db": "monitor.cli.setup:db",
    "models": "monitor.cli.engine:models",
    "engine": "monitor.cli.engine:engine",
    "health": "monitor.cli.health:health",
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is asked for: no command pays for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the order in which a newcomer needs them."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="assistant-monitor")
def cli() -> None:
    """Simulated users talk to a production assistant; a fall in the answers wakes somebody."""


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
