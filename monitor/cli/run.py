"""`run`: the daemon."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from functools import partial
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
    """Run the daemon until SIGTERM or Ctrl-C; a second signal ends it at once. SIGHUP: read the configuration anew."""
    config = read_config(config_path)
    log_as_configured(config)
    log.info("config_loaded path=%s content=%s", config.path, config.content_hash)
    manager = ServiceManager(os.environ)
    hangup = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _hang_up, hangup)
    try:
        async with open_application(config, manager, on_config=log_as_configured) as application:
            await application.daemon(manager, beside=[partial(application.reload_whenever, hangup)]).run()
    except asyncio.CancelledError:
        manager.stopping()  # a signal while the model was still being loaded
    return ExitCode.HEALTHY


def _hang_up(hangup: asyncio.Event) -> None:
    log.info("reload_wanted signal=SIGHUP when=once_ready")
    hangup.set()
