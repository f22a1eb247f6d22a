"""`check`: one check of one suite, now; what it found on standard output, how it goes on standard error."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from monitor.bootstrap.checks import build_check
from monitor.bootstrap.judge import open_judge
from monitor.bootstrap.parts import open_assistant, open_notifiers, open_store, owner_name
from monitor.bootstrap.reports import hears_reports
from monitor.bootstrap.simulator import open_simulator
from monitor.check import CheckRecord, Conversation, Group, Trigger, counted
from monitor.cli.context import (
    Output,
    choose_suite,
    config_option,
    log_as_configured,
    print_json,
    read_config,
    runs_async,
)
from monitor.cli.context import terminal as console
from monitor.cli.exit_codes import code_of_status
from monitor.cli.progress import CheckProgress, model_waiting
from monitor.config import Config
from monitor.delivery import Sender
from monitor.errors import ConfigError
from monitor.fidelity import PUBLISHED, Fidelity
from monitor.score import MEASURES, measures
from monitor.store import Store
from monitor.text import printable

DELIVERY_SECONDS = 20.0
WIDTH_95 = 1.96
"""Standard errors to each side of a mean that hold it in 95 of 100 repetitions."""


@click.command()
@config_option
@click.option("--suite", "suite_name", help="Which suite; needed when the configuration has several.")
@click.option("--alert", is_flag=True, help="Step alerts and send messages, as a scheduled check does.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of the run; a fresh one without it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option(
    "--json-file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the JSON object into a file as well.",
)
@runs_async
async def check(
    config_path: Path | None,
    suite_name: str | None,
    *,
    alert: bool,
    seed: int | None,
    as_json: bool,
    json_file: Path | None,
) -> int:
    """Run one check now and store it.

    Exit code: 0 healthy, 1 degraded, 2 configuration, 3 too few valid conversations, 4 infrastructure.
    """
    config = read_config(config_path)
    log_as_configured(config, level="warning")
    name = choose_suite(config, suite_name)
    if json_file and not os.access(json_file.absolute().parent, os.W_OK):
        raise ConfigError([f"--json-file: {json_file.absolute().parent} is no folder that can be written to"])
    store = open_store(config)
    try:
        done = await run_check(config, name, store, seed=seed, is_alerting=alert)
        report = describe(done, await store.offload(store.conversations, done.id))
    finally:
        store.close()
    if json_file:
        json_file.write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    if as_json:
        print_json(report)
    else:
        show(done, config.suites[name].threshold)
    return code_of_status(done.status)


async def run_check(config: Config, name: str, store: Store, *, seed: int | None, is_alerting: bool) -> CheckRecord:
    """One check by command, shown as it goes. Raises StoreFailure, EngineFailure, CompletionFailure."""
    settings, suite = config.settings, config.suites[name]
    async with AsyncExitStack() as stack:
        with model_waiting(console) as waiting:
            simulator = await stack.enter_async_context(open_simulator(config, on_wait=waiting))
        assistant = await stack.enter_async_context(open_assistant(config, suite.assistant))
        channels = await stack.enter_async_context(open_notifiers(config))
        health_check = build_check(
            config,
            name,
            simulator=simulator,
            judge=await stack.enter_async_context(open_judge(config)),
            assistant=assistant,
            store=store,
            base_url=settings.public_url,
            publish=_nobody_looks,
            hears_reports=await hears_reports(config),
        )
        if seed is None:
            seed = settings.simulator.run_seed
        with CheckProgress(console, len(suite.intents) * suite.rounds) as progress:
            done = await health_check.run(
                Trigger.ALERTING if is_alerting else Trigger.MANUAL,
                seed=secrets.randbits(63) if seed is None else seed,
                on_progress=progress,
            )
        if is_alerting:
            await Sender(store, channels, owner=owner_name()).drain(DELIVERY_SECONDS)
        return done


async def _nobody_looks() -> None:
    """A check by command has no metrics to publish."""


def describe(check: CheckRecord, conversations: Sequence[Conversation]) -> dict[str, Any]:
    """What a check found, for machines. Numbers that were not measured are null."""
    summary = check.summary
    assert summary is not None, "a check that ended has a summary"
    return {
        "check_id": check.id,
        "suite": check.suite,
        "status": check.status.value,
        "reason": check.reason,
        "average_score": summary.mean,
        "average_score_completed": summary.mean_scored,
        "standard_error": summary.standard_error,
        "clustered_error": summary.clustered_error,
        "success_rate": summary.success_rate,
        "in_spec": _group(summary.in_spec),
        "out_of_spec": _group(summary.out_of_spec),
        "fidelity": _fidelity(summary.fidelity),
        **_measures(counted(conversations)),
        "average_turns": summary.average_turns,
        "latency_seconds": summary.latency_seconds,
        "total_tests": summary.planned,
        "valid_tests": summary.valid,
        "error_count": summary.error_count,
        "outcomes": {outcome.value: count for outcome, count in summary.outcomes.items()},
        "seed": check.seed,
        "epoch": check.epoch,
        "started_at": check.started_at.isoformat(),
        "duration_seconds": check.duration_seconds,
        "intents": [
            {
                "intent": intent.intent_id,
                "average_score": intent.mean,
                "valid": intent.valid,
                "planned": intent.planned,
                "passed": intent.passed,
            }
            for intent in summary.intents
        ],
        "results": [_result(conversation) for conversation in counted(conversations)],
    }


def _measures(conversations: Sequence[Conversation]) -> dict[str, float | None]:
    """The mean of each measure over the conversations that have it."""
    found = [measures(conversation.score) for conversation in conversations]
    means: dict[str, float | None] = {}
    for name in MEASURES:
        values = [value for one in found if (value := one[name]) is not None]
        means[name] = fmean(values) if values else None
    return means


def _group(group: Group | None) -> dict[str, Any] | None:
    return {"conversations": group.conversations, "average_score": group.mean} if group else None


def _fidelity(fidelity: Fidelity | None) -> dict[str, Any] | None:
    """The measures, and beside them what is published of people and of models that play users."""
    published = {name: dict(known) for name, known in PUBLISHED.items()}
    return {**asdict(fidelity), "published": published} if fidelity else None


def _result(conversation: Conversation) -> dict[str, Any]:
    transcript, score = conversation.transcript, conversation.score
    return {
        "conversation_id": conversation.id,
        "intent": conversation.intent_id,
        "round": conversation.round,
        "attempt": conversation.attempt,
        "outcome": transcript.outcome.value,
        "end": transcript.end.value,
        "detail": transcript.detail,
        "score": conversation.value,
        "passed": score.passed,
        "user_departure": conversation.validity.departure if conversation.validity else None,
        "turns": len(transcript.user_turns),
        "duration_seconds": transcript.duration_seconds,
        "components": {component.name: component.value for component in score.components},
        **measures(score),
    }


def show(check: CheckRecord, threshold: float) -> None:
    """The table that ends a check, worst intents first."""
    summary = check.summary
    assert summary is not None, "a check that ended has a summary"
    table = Table("intent", "score", "passed", "valid", title=f"{check.suite}: {check.status}", title_justify="left")
    for intent in sorted(summary.intents, key=lambda intent: (intent.mean is None, intent.mean)):
        is_low = intent.mean is not None and intent.mean < threshold
        score = Text(number(intent.mean), style="red" if is_low else "")
        table.add_row(intent.intent_id, score, f"{intent.passed}/{intent.valid}", f"{intent.valid}/{intent.planned}")
    out = Output()
    out.print(table)
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(summary.outcomes.items()))
    margin = "" if summary.standard_error is None else f" ± {WIDTH_95 * summary.standard_error:.2f}"
    out.say(
        f"average {number(summary.mean)}{margin} (threshold {threshold:.2f}), "
        f"success rate {number(summary.success_rate)}"
    )
    clustered = summary.clustered_error
    if clustered is not None and clustered > (summary.standard_error or 0.0):
        out.say(f"± {WIDTH_95 * clustered:.2f} as a claim about intents beyond these")
    for name, group in (("kept to", summary.in_spec), ("went beyond", summary.out_of_spec)):
        if group is not None:
            out.say(f"average {number(group.mean)} over {group.conversations} whose user {name} the intent")
    out.say(f"{outcomes or 'no conversations'}; {printable(check.reason)}")
    out.say(f"check {check.id}, seed {check.seed}, epoch {check.epoch}, {check.duration_seconds:.1f} s")


def number(value: float | None) -> str:
    """Two decimals, or that it was not measured."""
    return "not measured" if value is None else f"{value:.2f}"
