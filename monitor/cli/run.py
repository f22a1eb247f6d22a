"""`run`, the daemon, and `health`, the question whether one is well."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click
import httpx

from monitor.bootstrap.application import open_application
from monitor.cli.context import config_option, log_as_configured, read_config, runs_async, tell
from monitor.cli.exit_codes import ExitCode
from monitor.errors import ConfigError
from monitor.sdnotify import ServiceManager
from monitor.text import printable

HEALTH_SECONDS = 3.0


@click.command()
@config_option
@runs_async
async def run(config_path: Path | None) -> int:
    """Run the daemon until SIGTERM or Ctrl-C; a second signal ends it at once."""
    config = read_config(config_path)
    log_as_configured(config)
    manager = ServiceManager(os.environ)
    try:
        async with open_application(config, manager) as application:
            await application.daemon(manager).run()
    except asyncio.CancelledError:
        manager.stopping()  # a signal while the model was still being loaded
    return ExitCode.HEALTHY


@click.command()
@config_option
@click.option("--ready", is_flag=True, help="Ask whether it is ready, too: the model is loaded and checks are run.")
def health(config_path: Path | None, *, ready: bool) -> int:
    """Ask the running daemon whether it is well. Exit code 0 when it is, 4 when not."""
    config = read_config(config_path)
    address = config.settings.server.metrics
    if address is None:
        raise ConfigError([f"{config.path}: server.metrics is off, so there is nobody to ask; set an address"])
    if address.port == 0:
        raise ConfigError([f"{config.path}: server.metrics takes any free port, so nobody knows it; set a port"])
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104
    url = f"http://{f'[{host}]' if ':' in host else host}:{address.port}{'/readyz' if ready else '/healthz'}"
    try:
        answer = httpx.get(url, timeout=HEALTH_SECONDS, trust_env=False)
        said = answer.json()
        well, reason = answer.status_code == httpx.codes.OK, str(said["reason"])
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as exc:
        well, reason = False, f"no answer from {url}: {exc}"
    tell(printable(reason), err=not well)
    return ExitCode.HEALTHY if well else ExitCode.INFRASTRUCTURE
