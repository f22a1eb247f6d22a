"""`check`: one check of one suite, now; what it found on standard output, how it goes on standard error."""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from monitor.bootstrap.check_reports import circumstances
from monitor.bootstrap.checks import build_check
from monitor.bootstrap.judge import open_judge
from monitor.bootstrap.parts import open_assistant, open_notifiers, open_store, owner_name
from monitor.bootstrap.reports import hears_reports
from monitor.bootstrap.simulator import open_simulator
from monitor.check import CheckRecord, Trigger
from monitor.check_report import Format, gather, require_writable, write_report
from monitor.check_report.document import describe
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
from monitor.store import Store
from monitor.text import printable

DELIVERY_SECONDS = 20.0
_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
WIDTH_95 = 1.96
"""Standard errors to each side of a mean that hold it in 95 of 100 repetitions."""


@click.command()
@config_option
@click.option("--suite", "suite_name", help="Which suite; needed when the configuration has several.")
@click.option("--alert", is_flag=True, help="Step alerts and send messages, as a scheduled check does.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of the run; a fresh one without it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
@click.option("--json-file", type=_FILE, help="Write the JSON object into a file as well.")
@click.option("--html", type=_FILE, help="Write the report as one HTML file.")
@click.option("--junit", type=_FILE, help="Write the report as JUnit XML.")
@click.option("--markdown", type=_FILE, help="Write the report as Markdown.")
@runs_async
async def check(
    config_path: Path | None,
    suite_name: str | None,
    *,
    alert: bool,
    seed: int | None,
    as_json: bool,
    json_file: Path | None,
    html: Path | None,
    junit: Path | None,
    markdown: Path | None,
) -> int:
    """Run one check now and store it.

    Exit code: 0 healthy, 1 degraded, 2 configuration, 3 too few valid conversations, 4 infrastructure.
    """
    config = read_config(config_path)
    log_as_configured(config, level="warning")
    name = choose_suite(config, suite_name)
    named = {Format.JSON: json_file, Format.HTML: html, Format.JUNIT: junit, Format.MARKDOWN: markdown}
    files = {form: path for form, path in named.items() if path is not None}
    require_writable(files)
    store = open_store(config)
    try:
        done = await run_check(config, name, store, seed=seed, is_alerting=alert)
        report = await store.offload(gather, store, done, circumstances(config, name))
    finally:
        store.close()
    if as_json:
        print_json(describe(report))
    else:
        show(done, config.suites[name].threshold)
    write_report(report, files)
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
