"""`incidents` and `silence`: what is open, who takes it, and for how long nobody is to be told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import click
from rich.table import Column, Table

from monitor.bootstrap.parts import utc_now
from monitor.cli.context import Output, config_option, print_json
from monitor.cli.exit_codes import ExitCode
from monitor.cli.operating import as_json_option, by_option, operating, stored
from monitor.config.durations import parse_duration
from monitor.errors import NotThere
from monitor.store import Store
from monitor.text import printable
from monitor.web.documents import incident_document, notification_document, silence_document

SHOWN = 50
SEARCHED = 10_000
SHORTEST_BEGINNING = 4
INCIDENT_ID_CHARACTERS = 32
SILENCE_ID_CHARACTERS = 12


@click.group()
def incidents() -> None:
    """Incidents: list, show, ack, resolve."""


@click.group()
def silence() -> None:
    """Silences: add, list, expire. Incidents open and close in them; nobody is told."""


@incidents.command("list")
@config_option
@click.option("--all", "shows_all", is_flag=True, help="Closed ones too.")
@as_json_option
def list_incidents(config_path: Path | None, *, shows_all: bool, as_json: bool) -> int:
    """The open incidents, newest first."""
    with stored(config_path) as store:
        found = store.incidents(open_only=not shows_all, limit=SHOWN)
    if as_json:
        print_json({"incidents": [incident_document(incident) for incident in found]})
        return ExitCode.HEALTHY
    table = Table(
        _ids(INCIDENT_ID_CHARACTERS),
        "scope",
        "rule",
        "severity",
        "opened",
        "closed",
        "taken by",
        box=None,
        pad_edge=False,
    )
    for i in found:
        closed = f"{i.closed_at:%Y-%m-%d %H:%M}" if i.closed_at else ""
        table.add_row(i.id, i.scope, i.rule, i.severity, f"{i.opened_at:%Y-%m-%d %H:%M}", closed, i.acked_by or "")
    Output().print(table if found else "none is open", crop=False)
    return ExitCode.HEALTHY


@incidents.command("show")
@config_option
@click.argument("incident_id")
@as_json_option
def show_incident(config_path: Path | None, incident_id: str, *, as_json: bool) -> int:
    """One incident, and what was told of it."""
    with stored(config_path) as store:
        incident_id = _incident(store, incident_id)
        incident = store.incident(incident_id)
        if incident is None:
            raise NotThere(f"incident {incident_id} is not there; `incidents list --all` shows those that there are")
        told = store.notifications(incident_id)
    if as_json:
        print_json(
            incident_document(incident) | {"notifications": [notification_document(message) for message in told]}
        )
        return ExitCode.HEALTHY
    out = Output()
    for name, value in incident_document(incident).items():
        out.say(f"{name.replace('_', ' '):<12} {printable(str('' if value is None else value), 500)}")
    for message in told:
        out.say(f"{message.created_at:%Y-%m-%d %H:%M}  {message.channel} {message.kind.value}: {message.status.value}")
    return ExitCode.HEALTHY


@incidents.command("ack")
@config_option
@click.argument("incident_id")
@click.option("--for", "lasting", default="4h", show_default=True, help="How long: 30m, 4h, 2d.")
@by_option
def acknowledge(config_path: Path | None, incident_id: str, lasting: str, by: str) -> int:
    """Take an incident: no reminder and no escalation for a while."""
    seconds = _seconds(lasting)
    with operating(config_path) as operations:
        incident_id = _incident(operations.store, incident_id)
        operations.acknowledge(incident_id, by=by, lasting=timedelta(seconds=seconds))
    Output().say(f"{incident_id} is taken by {by} for {lasting}")
    return ExitCode.HEALTHY


@incidents.command("resolve")
@config_option
@click.argument("incident_id")
@click.option("--reason", default="", help="Why it is over.")
@by_option
def resolve(config_path: Path | None, incident_id: str, reason: str, by: str) -> int:
    """Close an incident by hand. A rule that is still in breach opens a new one at the next check."""
    with operating(config_path) as operations:
        incident_id = _incident(operations.store, incident_id)
        operations.resolve(incident_id, by=by, reason=reason)
    Output().say(f"{incident_id} is closed")
    return ExitCode.HEALTHY


@silence.command("add")
@config_option
@click.argument("pattern")
@click.option("--for", "lasting", required=True, help="How long: 30m, 4h, 2d.")
@click.option("--reason", required=True, help="Why.")
@by_option
def add_silence(config_path: Path | None, pattern: str, lasting: str, reason: str, by: str) -> int:
    """Tell nobody of the scopes that PATTERN matches (`shop/overall`, `shop/refund-*`, `shop/*`, `*`)."""
    seconds, now = _seconds(lasting), utc_now()
    with operating(config_path) as operations:
        added = operations.silence(
            pattern, by=by, reason=reason, starts_at=now, ends_at=now + timedelta(seconds=seconds)
        )
    Output().say(f"silence {added.id} on {added.scope_pattern} until {added.ends_at:%Y-%m-%d %H:%M} UTC")
    return ExitCode.HEALTHY


@silence.command("list")
@config_option
@click.option("--all", "shows_all", is_flag=True, help="Those that are over, too.")
@as_json_option
def list_silences(config_path: Path | None, *, shows_all: bool, as_json: bool) -> int:
    """The silences that are not over, newest first."""
    with stored(config_path) as store:
        found = store.silences(lasting_at=None if shows_all else utc_now(), limit=SHOWN)
    if as_json:
        print_json({"silences": [silence_document(one) for one in found]})
        return ExitCode.HEALTHY
    table = Table(_ids(SILENCE_ID_CHARACTERS), "pattern", "until", "by", "reason", box=None, pad_edge=False)
    for one in found:
        until = f"{one.window.ends_at:%Y-%m-%d %H:%M}"
        table.add_row(one.id, one.scope_pattern, until, one.created_by, printable(one.reason, 200))
    Output().print(table if found else "none holds", crop=False)
    return ExitCode.HEALTHY


@silence.command("expire")
@config_option
@click.argument("silence_id")
@by_option
def expire_silence(config_path: Path | None, silence_id: str, by: str) -> int:
    """End a silence now; what is still in breach is told."""
    with operating(config_path) as operations:
        silence_id = _whole(silence_id, (one.id for one in operations.store.silences(limit=SEARCHED)))
        operations.expire(silence_id, by=by)
    Output().say(f"silence {silence_id} is over")
    return ExitCode.HEALTHY


def _ids(characters: int) -> Column:
    """A column of ids that is never cut or broken: people copy from it."""
    return Column("id", no_wrap=True, min_width=characters)


def _incident(store: Store, beginning: str) -> str:
    return _whole(beginning, (incident.id for incident in store.incidents(limit=SEARCHED)))


def _whole(beginning: str, ids: Iterable[str]) -> str:
    """The only one of these ids that begins so; what was given where none does. Raises NotThere where several do."""
    if len(beginning) < SHORTEST_BEGINNING:
        return beginning
    found = [one for one in ids if one.startswith(beginning)]
    if len(found) > 1 and beginning not in found:
        raise NotThere(f"{beginning} begins several ids, write more of it: {', '.join(found)}")
    return found[0] if len(found) == 1 else beginning


def _seconds(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--for") from exc
    if seconds <= 0:
        raise click.BadParameter("must be longer than nothing; write 30m, 4h or 2d", param_hint="--for")
    return seconds
