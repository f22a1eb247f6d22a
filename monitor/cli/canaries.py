"""`canaries`: conversations known to be good or bad, scored by the configuration of today."""

from __future__ import annotations

from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from monitor.bootstrap.canaries import build_canaries, can_judge, shipped_canaries
from monitor.bootstrap.parts import open_store
from monitor.bootstrap.studies import open_scoring
from monitor.canary import CanaryRun, CanaryScore, wrong_ids
from monitor.cli.context import Output, config_option, log_as_configured, print_json, read_config, runs_async
from monitor.cli.context import terminal as console
from monitor.cli.exit_codes import ExitCode
from monitor.cli.progress import model_waiting
from monitor.config import Config
from monitor.store import Store
from monitor.text import printable

AT_ONCE = 8
LABELS = {True: "good", False: "bad"}
TASK_IS_OFF = "scoring.weights has no task, by which canaries are told apart"


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@runs_async
async def canaries(config_path: Path | None, *, as_json: bool) -> int:
    """Score known-good and known-bad conversations, and tell whether scores can be trusted. The run is stored.

    Exit code: 0 no alarm, 2 configuration, 3 nothing to score, 4 the canaries raise the alarm, or infrastructure.
    """
    config = read_config(config_path)
    log_as_configured(config, level="warning")
    store = open_store(config)
    try:
        run = await _run(config, store)
    finally:
        store.close()
    left_out = [canary.id for canary in shipped_canaries() if canary.id not in {score.id for score in run.results}]
    if as_json:
        print_json(describe(run, left_out))
    else:
        show(run, left_out, why="" if can_judge(config) else TASK_IS_OFF)
    if run.is_sick:
        return ExitCode.INFRASTRUCTURE
    return ExitCode.HEALTHY if run.auc is not None else ExitCode.INSUFFICIENT_DATA


async def _run(config: Config, store: Store) -> CanaryRun:
    async with AsyncExitStack() as stack:
        with model_waiting(console) as waiting:
            opened = await stack.enter_async_context(open_scoring(config, on_wait=waiting))
        study = build_canaries(config, opened.cases, opened.epoch, store)
        with console.status(f"scoring {len(study.canaries)} canaries"):
            return await study.run(at_once=AT_ONCE)


def show(run: CanaryRun, left_out: list[str], *, why: str = "") -> None:
    """The run for people: a line for each kind, what is wrong, and what was left out."""
    out = Output()
    table = Table("label", "kind", "n", "mean", "passed", box=None, pad_edge=False)
    for (label, kind), scores in kinds(run).items():
        passed = sum(score.passed is True for score in scores)
        table.add_row(label, kind, str(len(scores)), _number(_mean(scores)), str(passed))
    if run.results:
        out.print(table)
    out.say(
        f"AUC {_number(run.auc)}, mean of good ones {_number(run.mean_good)}, of bad ones {_number(run.mean_bad)}, "
        f"{run.scored} of {len(run.results)} scored, epoch {run.epoch}"
    )
    out.say("no earlier run to compare with" if run.flips is None else f"{run.flips} flipped since the first run")
    if wrong := wrong_ids(run.results):
        out.say(f"scored wrong: {', '.join(wrong)}")
    if left_out:
        out.say(f"left out: {len(left_out)}, {why or 'they need a judge'}")
    out.say(f"the monitor is sick: {printable(run.reason, 2000)}" if run.is_sick else "no alarm")


def kinds(run: CanaryRun) -> dict[tuple[str, str], list[CanaryScore]]:
    """The scores by label and kind, good ones first."""
    found: dict[tuple[str, str], list[CanaryScore]] = defaultdict(list)
    for score in sorted(run.results, key=lambda score: (not score.is_good, score.kind, score.id)):
        found[LABELS[score.is_good], score.kind].append(score)
    return found


def describe(run: CanaryRun, left_out: list[str]) -> dict[str, Any]:
    """The run for machines. Numbers that were not measured are null."""
    return {
        "id": run.id,
        "at": run.at.isoformat(),
        "epoch": run.epoch,
        "canaries": run.fingerprint,
        "scored": run.scored,
        "not_scored": run.not_scored,
        "auc": run.auc,
        "mean_good": run.mean_good,
        "mean_bad": run.mean_bad,
        "flips": run.flips,
        "is_sick": run.is_sick,
        "alarms": [{"rule": alarm.rule, "reason": alarm.reason, "ids": list(alarm.ids)} for alarm in run.alarms],
        "wrong": list(wrong_ids(run.results)),
        "left_out": left_out,
        "results": [
            {
                "id": score.id,
                "label": LABELS[score.is_good],
                "kind": score.kind,
                "score": score.value,
                "passed": score.passed,
                "reason": score.reason,
            }
            for score in run.results
        ],
    }


def _mean(scores: list[CanaryScore]) -> float | None:
    values = [score.value for score in scores if score.value is not None]
    return sum(values) / len(values) if values else None


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"
