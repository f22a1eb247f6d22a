"""Commands for whoever sets the monitor up: `validate`, `test-alert`, `db`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from uuid import uuid4

import click

from monitor.bootstrap.parts import open_notifiers, utc_now
from monitor.cli.context import config_option, log_as_configured, print_json, read_config, runs_async, tell
from monitor.cli.exit_codes import ExitCode
from monitor.config import Config, describe, summarize
from monitor.errors import ConfigError
from monitor.incident import Alert
from monitor.lint import Finding, Severity, lint
from monitor.machine import NotificationKind
from monitor.notify.contract import DeliveryResult, Message, Needless, Notifier, Ok, Permanent, Retry
from monitor.store import migrate
from monitor.text import printable
from monitor.verdict import Severity as AlertSeverity

FINDING_CHARACTERS = 400


@click.command("validate")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--strict", is_flag=True, help="Refuse what is only warned about in intents as well.")
def show_validation(config_path: Path | None, *, as_json: bool, strict: bool) -> int:
    """Read the configuration and show what is in force; exit code 2 with every problem if it or an intent is wrong."""
    config = read_config(config_path)
    found = list(_lint(config))
    if as_json:
        listed = [{"suite": suite} | asdict(finding) for suite, finding in found]
        print_json(summarize(config, utc_now()) | {"intents": listed})
    else:
        tell(describe(config, utc_now()))
    refused = []
    for suite, finding in found:
        line = printable(f"{suite}/{finding}", FINDING_CHARACTERS)
        if strict or finding.severity is Severity.ERROR:
            refused.append(line)
        elif not as_json:
            tell(f"{finding.severity:<10} {line}")
    if refused:
        raise ConfigError(refused)
    return ExitCode.HEALTHY


def _lint(config: Config) -> Iterator[tuple[str, Finding]]:
    """What the linter finds in the intents, with the suite; one that several suites play is looked at once."""
    seen: set[str] = set()
    for_userlm = config.settings.simulator.kind == "userlm"
    for name, suite in config.suites.items():
        fresh = [intent for intent in suite.intents if intent.fingerprint not in seen]
        seen |= {intent.fingerprint for intent in fresh}
        yield from ((name, finding) for finding in lint(fresh, for_userlm=for_userlm, now=utc_now()))


@click.command("test-alert")
@click.argument("names", nargs=-1, metavar="[CHANNEL]...")
@config_option
@runs_async
async def test_alert(config_path: Path | None, names: Sequence[str]) -> int:
    """Send a test incident, and its end, on every configured channel, or on those named. Exit code 4 when one did not
    take both.
    """
    config = read_config(config_path)
    log_as_configured(config, level="warning")
    async with open_notifiers(config) as channels:
        wanted = _named(config, channels, names)
        results = [await try_channel(config, channel) for channel in wanted]
    return ExitCode.HEALTHY if all(results) else ExitCode.INFRASTRUCTURE


def _named(config: Config, channels: Mapping[str, Notifier], names: Sequence[str]) -> list[Notifier]:
    """The channels of these names, or all. Raises ConfigError for none, and for a name that there is not."""
    if not channels:
        raise ConfigError([f"{config.path}: notify: no channel is configured; add slack or pagerduty"])
    if unknown := [name for name in names if name not in channels]:
        known = ", ".join(channels)
        raise ConfigError([f"no channel is called {printable(name)}; known: {known}" for name in unknown])
    return [channels[name] for name in dict.fromkeys(names or channels)]


async def try_channel(config: Config, channel: Notifier) -> bool:
    """Open and resolve one incident that nobody needs to act on; whether both were taken. What may have been opened is
    resolved, also where the answer was lost or nobody waited for it.
    """
    alert = _test_alert(config, uuid4().hex)
    opening = Message(kind=NotificationKind.OPEN, alert=alert, dedup_key=alert.dedup_key, opened=alert)
    opened: DeliveryResult = Retry(None, "no answer")
    ended: DeliveryResult = opened
    try:
        opened = await _send(channel, opening)
    finally:
        if not isinstance(opened, Permanent):
            reference = opened.reference if isinstance(opened, Ok) else None
            end = replace(alert, at=utc_now())
            ending = replace(opening, kind=NotificationKind.RESOLVE, alert=end, opened_reference=reference)
            ended = await _send(channel, ending)
    return isinstance(opened, Ok) and isinstance(ended, Ok)


async def _send(channel: Notifier, message: Message) -> DeliveryResult:
    result = await channel.send(message)
    tell(f"{channel.channel} {message.kind}: {_in_words(result)}", err=not isinstance(result, Ok))
    return result


def _in_words(result: DeliveryResult) -> str:
    match result:
        case Ok():
            return "delivered"
        case Needless():
            return "not sent: the channel needs no such message"
        case Retry(error=error) | Permanent(error=error):
            return f"not delivered: {error}"


def _test_alert(config: Config, incident_id: str) -> Alert:
    settings, now = config.settings, utc_now()
    return Alert(
        app=settings.app,
        environment=settings.environment,
        suite="test",
        scope="test/overall",
        rule="test",
        severity=AlertSeverity.INFO,
        dedup_key=f"{settings.app}:{settings.environment}:test:{incident_id[:8]}",
        incident_id=incident_id,
        title="Test of the alert channel: nothing is wrong",
        reason="sent by `assistant-monitor test-alert`",
        average=None,
        threshold=None,
        success_rate=None,
        check_id=None,
        epoch=None,
        opened_at=now,
        at=now,
        base_url=settings.public_url,
    )


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@config_option
def upgrade(config_path: Path | None) -> int:
    """Make the database if there is none, and bring its schema up to this version."""
    config = read_config(config_path)
    migrate.upgrade(config.store_url.reveal())
    current, _ = migrate.status(config.store_url.reveal())
    tell(f"the schema is {current}")
    return ExitCode.HEALTHY


@db.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(config_path: Path | None, *, as_json: bool) -> int:
    """Show the schema's version in the database and in this code. Exit code 4 when they differ."""
    config = read_config(config_path)
    current, head = migrate.status(config.store_url.reveal())
    if as_json:
        print_json({"current": current, "head": head, "is_current": current == head})
    else:
        tell(f"database {current or 'empty'}, this version {head}")
    return ExitCode.HEALTHY if current == head else ExitCode.INFRASTRUCTURE
