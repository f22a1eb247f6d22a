"""`maintenance`: the windows that are planned, and `audit`: who did what."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from monitor.bootstrap.parts import utc_now
from monitor.cli.context import Output, config_option, print_json, read_config
from monitor.cli.exit_codes import ExitCode
from monitor.cli.operating import as_json_option, stored
from monitor.text import printable
from monitor.web.documents import audit_document, maintenance_document

SHOWN_WINDOWS = 3
SHOWN_DEEDS = 50


@click.group()
def maintenance() -> None:
    """Maintenance windows of the configuration: list."""


@click.group()
def audit() -> None:
    """What people did to the monitor: list."""


@maintenance.command("list")
@config_option
@as_json_option
def list_maintenance(config_path: Path | None, *, as_json: bool) -> int:
    """The windows that hold now, and the next ones."""
    config, now = read_config(config_path), utc_now()
    if as_json:
        print_json({"maintenance": [maintenance_document(planned, now) for planned in config.maintenance]})
        return ExitCode.HEALTHY
    table = Table("name", "scopes", "from", "until", "", box=None, pad_edge=False)
    for planned in config.maintenance:
        held = planned.holding(now)
        for window in [*([held] if held else []), *planned.upcoming(now, SHOWN_WINDOWS)]:
            times = (f"{at:%Y-%m-%d %H:%M}" for at in (window.starts_at, window.ends_at))
            table.add_row(planned.name, ", ".join(planned.scopes), *times, "now" if window is held else "")
    Output().print(table if table.row_count else "none is planned")
    return ExitCode.HEALTHY


@audit.command("list")
@config_option
@click.option("--limit", default=SHOWN_DEEDS, show_default=True, type=click.IntRange(1, 1000), help="At most so many.")
@as_json_option
def list_audit(config_path: Path | None, limit: int, *, as_json: bool) -> int:
    """The newest deeds, newest first."""
    with stored(config_path) as store:
        found = store.audit(limit=limit)
    if as_json:
        print_json({"audit": [audit_document(entry) for entry in found]})
        return ExitCode.HEALTHY
    table = Table("at", "who", "what", "to", "detail", box=None, pad_edge=False)
    for entry in found:
        words = (entry.actor, entry.action, entry.subject, entry.detail)
        table.add_row(f"{entry.at:%Y-%m-%d %H:%M}", *(printable(word, 200) for word in words))
    Output().print(table if found else "nobody did anything")
    return ExitCode.HEALTHY
