"""`replay`: a series of scores from anywhere, through the rules and the alert machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from monitor.cli.context import config_file, config_option, read_config
from monitor.cli.exit_codes import ExitCode
from monitor.config import Config
from monitor.config.durations import parse_duration
from monitor.config.rules import rules_policy
from monitor.errors import ConfigError
from monitor.machine import AlertPolicy, Effect
from monitor.rules.policy import RulesPolicy
from monitor.studies.replay import Replay, Replayed, read

START = datetime(2026, 1, 1, tzinfo=UTC)


@click.command()
@config_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--suite", help="Rules, weights and critical intents of this suite; without it the rules' defaults.")
@click.option("--every", default="4h", show_default=True, help="Time between two checks.")
def replay(config_path: Path | None, file: Path, suite: str | None, every: str) -> int:
    """Try a series of scores: FILE is CSV with check, round, intent, score (empty: not scored), `-` standard input.

    Prints one JSON object a check: verdicts, open alerts, effects. Nothing is stored, nobody is told.
    """
    try:
        seconds = parse_duration(every)
    except ValueError as exc:
        raise click.BadParameter(str(exc), param_hint="--every") from exc
    config = read_config(config_file(config_path)) if suite is not None else None
    with click.open_file(str(file), encoding="utf-8-sig") as lines:
        series = read(lines)
    for replayed in _replay(config, suite, timedelta(seconds=seconds)).run(series):
        click.echo(json.dumps(_plain(replayed), ensure_ascii=False, allow_nan=False))
    return ExitCode.HEALTHY


def _replay(config: Config | None, suite: str | None, every: timedelta) -> Replay:
    policy = AlertPolicy.everywhere("channel")
    if config is None or suite is None:
        return Replay(suite="series", rules=RulesPolicy(), policy=policy, start=START, every=every)
    if suite not in config.suites:
        raise ConfigError([f"{config.path} has no suite {suite!r}; there is: {', '.join(config.suites)}"])
    intents = config.suites[suite].intents
    return Replay(
        suite=suite,
        rules=rules_policy(config.settings, suite),
        policy=policy,
        start=START,
        every=every,
        weights={intent.id: intent.weight for intent in intents},
        critical=frozenset(intent.id for intent in intents if intent.critical),
    )


def _plain(replayed: Replayed) -> dict[str, Any]:
    return {
        "check": replayed.check,
        "at": replayed.at.isoformat(),
        "verdicts": [asdict(verdict) for verdict in replayed.verdicts],
        "alerts": [
            {
                "scope": state.scope,
                "phase": state.phase,
                "severity": state.severity,
                "rules": [breach.rule for breach in state.breaches],
                "since": state.since.isoformat() if state.since else None,
                "is_flapping": state.is_flapping,
            }
            for state in replayed.alerts
        ],
        "effects": [_effect(effect) for effect in replayed.effects],
    }


def _effect(effect: Effect) -> dict[str, Any]:
    values = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(effect).items()
    }
    return {"effect": type(effect).__name__, **values}
