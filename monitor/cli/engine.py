"""`engine`, a language model behind HTTP, and `models`, its weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from monitor.bootstrap.simulator import engine_options
from monitor.cli.context import config_file, config_option, print_json, tell
from monitor.cli.exit_codes import ExitCode
from monitor.config.simulator import ServerSettings
from monitor.config.user_model import ConfiguredModel, load_user_model
from monitor.engine import __main__ as engine_process
from monitor.engine import weights
from monitor.errors import ConfigError

NOTE = (
    "`assistant-monitor engine --config FILE` takes model, limits and address from that configuration's `simulator` "
    "(the address is that of its first server); options beside it replace what it says."
)


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    help="Serve a language model by OpenAI's protocol; `engine --help` lists the options.",
)
@click.option("--config", "config_path", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def engine(config_path: Path | None, arguments: tuple[str, ...]) -> int:
    """Hand everything on to the engine's own command line."""
    configured = configured_engine(load_user_model(config_path, os.environ)) if config_path else {}
    return engine_process.main(list(arguments), configured, note=NOTE)


@click.group()
def models() -> None:
    """The weights of the configured user model."""


@models.command()
@config_option
def fetch(config_path: Path | None) -> int:
    """Bring the weights to this machine ahead of time."""
    found = load_user_model(config_file(config_path), os.environ)
    folder = weights.fetch(found.model.name, found.model.revision, found.cache_dir)
    tell(f"{found.model.name} lies in {folder}")
    return ExitCode.HEALTHY


@models.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(config_path: Path | None, *, as_json: bool) -> int:
    """Show which model is configured and whether its weights are here. Exit code 4 when they are not."""
    configured = load_user_model(config_file(config_path), os.environ)
    found = weights.describe(configured.model.name, configured.model.revision, configured.cache_dir)
    if as_json:
        print_json(
            {
                "model": found.model,
                "revision": found.revision,
                "folder": str(found.folder) if found.folder else None,
                "bytes": found.size_bytes,
                "source": found.source,
                "present": found.present,
            }
        )
    else:
        pinned = f" at {found.revision}" if found.revision else ", no revision pinned"
        where = f"{found.folder} ({found.size_bytes or 0:,} bytes)" if found.present else "not on this machine"
        tell(f"{found.model}{pinned}\nfrom {found.source}: {where}")
    return ExitCode.HEALTHY if found.present else ExitCode.INFRASTRUCTURE


def configured_engine(found: ConfiguredModel) -> dict[str, Any]:
    """The engine's settings as the configuration has them. An address only if it names a server."""
    options = engine_options(found.model, found.simulator.engine, found.cache_dir)
    if not found.simulator.servers:
        return options
    server = found.simulator.servers[0]
    return options | _address(found.path, server) | ({"served_model_name": server.model} if server.model else {})


def _address(path: Path, server: ServerSettings) -> dict[str, Any]:
    if server.socket is not None:
        return {"socket": server.socket}
    parts = urlsplit(server.url)
    if parts.scheme != "http" or parts.path.strip("/") or parts.query:
        text = (
            "an engine listens on unix:///folder/name.sock or http://host:port; write one, or give --socket or --port"
        )
        raise ConfigError([f"{path}: simulator.servers[0].url: {text}"])
    return {"host": parts.hostname, "port": parts.port or 80}
