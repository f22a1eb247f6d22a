"""`engine`, a language model behind HTTP, and `models`, its weights."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.context import config_option, print_json, read_config, tell
from monitor.cli.exit_codes import ExitCode
from monitor.config import Config
from monitor.engine import __main__ as engine_process
from monitor.engine import weights
from monitor.errors import ConfigError


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    help="Serve a language model by OpenAI's protocol; `engine --help` lists the options.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def engine(arguments: tuple[str, ...]) -> int:
    """Hand everything on to the engine's own command line."""
    return engine_process.main(list(arguments))


@click.group()
def models() -> None:
    """The weights of the configured user model."""


@models.command()
@config_option
def fetch(config_path: Path | None) -> int:
    """Bring the weights to this machine ahead of time."""
    config = read_config(config_path)
    model, revision = _model(config)
    folder = weights.fetch(model, revision, config.model_cache_dir)
    tell(f"{model} lies in {folder}")
    return ExitCode.HEALTHY


@models.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(config_path: Path | None, *, as_json: bool) -> int:
    """Show which model is configured and whether its weights are here. Exit code 4 when they are not."""
    config = read_config(config_path)
    model, revision = _model(config)
    found = weights.describe(model, revision, config.model_cache_dir)
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


def _model(config: Config) -> tuple[str, str | None]:
    model = config.settings.simulator.model
    if model is None:
        raise ConfigError([f"{config.path}: simulator.model is not set: this monitor loads no model of its own"])
    return model.name, model.revision
