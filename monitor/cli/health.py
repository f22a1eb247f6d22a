"""`health`: asks the running daemon whether it is well. Container engines run it all day, so it imports little."""

from __future__ import annotations

import os
from pathlib import Path

import click
import httpx

from monitor.cli.context import config_file, config_option, tell
from monitor.cli.exit_codes import ExitCode
from monitor.config.fields import ListenAddress, Section
from monitor.config.part import read_part
from monitor.config.settings import WebSettings
from monitor.errors import ConfigError
from monitor.text import printable

HEALTH_SECONDS = 3.0


class _Server(Section):
    metrics: ListenAddress | None = WebSettings().metrics


class _Part(Section):
    """What has to be known of the daemon; a file that it could not start with again says nothing about how it is."""

    server: _Server = _Server()


@click.command()
@config_option
@click.option("--ready", is_flag=True, help="Ask whether it is ready, too: the model is loaded and checks are run.")
def health(config_path: Path | None, *, ready: bool) -> int:
    """Ask the running daemon whether it is well. Exit code 0 when it is, 4 when not."""
    path = config_file(config_path)
    address = read_part(path, os.environ, _Part, {"server": {"metrics"}}).server.metrics
    if address is None:
        raise ConfigError([f"{path}: server.metrics is off, so there is nobody to ask; set an address"])
    if address.port == 0:
        raise ConfigError([f"{path}: server.metrics takes any free port, so nobody knows it; set a port"])
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
