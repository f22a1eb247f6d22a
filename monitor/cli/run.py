"""`run`: the daemon."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path

import click

from monitor.bootstrap.application import open_application
from monitor.cli.context import config_option, log_as_configured, read_config, runs_async
from monitor.cli.exit_codes import ExitCode
from monitor.sdnotify import ServiceManager

log = logging.getLogger(__name__)


@click.command()
@config_option
@runs_async
async def run(config_path: Path | None) -> int:
    """Run the daemon until SIGTERM or Ctrl-C; a second signal ends it at once."""
    config = read_config(config_path)
    log_as_configured(config)
    manager = ServiceManager(os.environ)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _tell_to_restart)
    try:
        async with open_application(config, manager) as application:
            await application.daemon(manager).run()
    except asyncio.CancelledError:
        manager.stopping()  # a signal while the model was still being loaded
    return ExitCode.HEALTHY


def _tell_to_restart() -> None:
    log.warning("signal_ignored signal=SIGHUP advice=restart_to_read_the_configuration_again")
