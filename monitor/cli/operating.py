"""What commands share that look at alerts, or do something to them."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from monitor.bootstrap.operations import open_operations
from monitor.bootstrap.parts import open_store
from monitor.cli.context import log_as_configured, read_config
from monitor.operations import Operations
from monitor.store import Store

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
by_option = click.option("--by", default=getpass.getuser, show_default="your user name", help="Who does it.")


@contextmanager
def stored(config_path: Path | None) -> Iterator[Store]:
    """The store, while it is looked at."""
    config = read_config(config_path)
    log_as_configured(config, level="warning")
    store = open_store(config)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def operating(config_path: Path | None) -> Iterator[Operations]:
    """What may be done to the alerts, as the configuration has it."""
    with stored(config_path) as store:
        yield open_operations(read_config(config_path), store)
