"""`rescore`: stored conversations scored again by the configuration of today, and what that changes."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from monitor.agreement import Z
from monitor.bootstrap.parts import open_store, redactor, utc_now
from monitor.bootstrap.studies import intents_today, open_scoring
from monitor.cli.context import Output, config_option, log_as_configured, print_json, read_config, runs_async
from monitor.cli.context import terminal as console
from monitor.cli.exit_codes import ExitCode
from monitor.cli.progress import model_waiting
from monitor.config import Config
from monitor.config.durations import parse_duration
from monitor.errors import ConfigError
from monitor.store import ConversationFilter, Store
from monitor.studies.rescore import Comparison, Pair, Rescore
from monitor.text import printable

LIMIT = 200


@click.command()
@config_option
@click.option("--check", "check_id", help="Conversations of this check.")
@click.option("--suite", help="Conversations of this suite.")
@click.option("--since", help="Only those that ended since: an age (7d, 12h) or a day in UTC (2026-03-01).")
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="At most so many, newest.")
@click.option("--any-fingerprint", is_flag=True, help="Score by the intent of today where it has changed since, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@runs_async
async def rescore(
    config_path: Path | None,
    check_id: str | None,
    suite: str | None,
    since: str | None,
    *,
    limit: int,
    any_fingerprint: bool,
    as_json: bool,
) -> int:
    """Score stored conversations again. New scores are appended, old ones stay; both are compared in pairs.

    Exit code: 0 there is a comparison, 2 configuration, 3 nothing to compare, 4 infrastructure, 5 scoring one of them
    broke (the others are compared all the same).
    """
    config = read_config(config_path)
    log_as_configured(config, level="warning")
    if (check_id is None) == (suite is None):
        raise ConfigError(["choose what is scored again: either --check ID or --suite NAME"])
    if suite is not None and suite not in config.suites:
        raise ConfigError([f"{config.path} has no suite {suite!r}; there is: {', '.join(config.suites)}"])
    wanted = ConversationFilter(check_id=check_id, suite=suite, since=since_when(since, utc_now()))
    store = open_store(config)
    try:
        ids = await store.offload(store.completed, wanted, limit=limit)
        comparison = await _rescore(config, store, ids, any_intent=any_fingerprint)
    finally:
        store.close()
    if as_json:
        print_json(describe(comparison))
    else:
        show(comparison)
    if comparison.faults:
        return ExitCode.INTERNAL
    return ExitCode.HEALTHY if comparison.n else ExitCode.INSUFFICIENT_DATA


async def _rescore(config: Config, store: Store, ids: list[str], *, any_intent: bool) -> Comparison:
    async with AsyncExitStack() as stack:
        with model_waiting(console) as waiting:
            opened = await stack.enter_async_context(open_scoring(config, on_wait=waiting))
        study = Rescore(
            store=store,
            scoring=opened.cases.scoring,
            epoch=opened.epoch,
            redactor=redactor(config),
            intents=intents_today(config),
            now=utc_now,
            any_intent=any_intent,
        )
        with console.status(f"scoring {len(ids)} conversations") as status:
            return await study.run(ids, on_done=lambda done: status.update(f"{done} of {len(ids)} scored"))


def since_when(text: str | None, now: datetime) -> datetime | None:
    """The moment that an age or a day means. Raises ConfigError."""
    if text is None:
        return None
    try:
        if re.match(r"\d{4}-", text):
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError) as exc:
        raise ConfigError([f"--since: {text!r} is neither an age like 7d nor a day like 2026-03-01"]) from exc


def show(comparison: Comparison) -> None:
    """The comparison for people."""
    out = Output()
    out.say(_epochs(comparison))
    if comparison.difference is None:
        out.say("nothing to compare")
    else:
        error = comparison.standard_error
        margin = "" if error is None else f" ± {Z * error:.3f} (standard error {error:.3f}, clustered by intent)"
        out.say(
            f"mean difference, new less old: {comparison.difference:+.3f}{margin} over {comparison.n} conversations"
        )
        out.say(f"{comparison.newly_passed} pass now and did not, {comparison.newly_failed} passed and do not now")
    for pair in comparison.movers:
        out.say(f"  {pair.difference:+.2f}  {pair.conversation_id}  {pair.intent_id}  {_why(pair)}".rstrip())
    for reason, count in sorted(comparison.left_out.items()):
        out.say(f"left out: {count}, {printable(reason)}")


def _epochs(comparison: Comparison) -> str:
    """Which epochs are compared, and that they differ: this is the one place that does so."""
    old = ", ".join(f"{epoch or 'unknown'} ({n})" for epoch, n in sorted(comparison.old_epochs.items())) or "none"
    text = f"scores of epoch {old} against epoch {comparison.new_epoch}"
    if comparison.old_epochs and comparison.old_epochs.keys() == {comparison.new_epoch}:
        return f"{text}: the same, so a difference is the noise of scoring again"
    others = comparison.old_epochs.keys() - {comparison.new_epoch}
    return f"{text}: different epochs" if others else text


def _why(pair: Pair) -> str:
    """The components that moved."""
    old = {component.name: component.value for component in pair.old.components}
    moved = [(c.name, old.get(c.name), c.value) for c in pair.new.components if old.get(c.name) != c.value]
    gate = [("gate", pair.old.gate, pair.new.gate)] if pair.old.gate != pair.new.gate else []
    return ", ".join(f"{name} {_number(before)} to {_number(after)}" for name, before, after in gate + moved)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def describe(comparison: Comparison) -> dict[str, Any]:
    """The comparison for machines."""
    return {
        "old_epochs": dict(comparison.old_epochs),
        "new_epoch": comparison.new_epoch,
        "epochs_differ": bool(comparison.old_epochs.keys() - {comparison.new_epoch}),
        "conversations": comparison.n,
        "mean_difference": comparison.difference,
        "standard_error": comparison.standard_error,
        "newly_passed": comparison.newly_passed,
        "newly_failed": comparison.newly_failed,
        "left_out": dict(comparison.left_out),
        "movers": [
            {
                "conversation_id": pair.conversation_id,
                "intent": pair.intent_id,
                "old_epoch": pair.old_epoch,
                "old": pair.old.value,
                "new": pair.new.value,
                "difference": pair.difference,
            }
            for pair in comparison.movers
        ],
    }
