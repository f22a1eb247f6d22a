"""`calibrate`: scores held against people's labels, and the weights that would follow these."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

import click
from rich.table import Table

from monitor.agreement import Estimate
from monitor.bootstrap.parts import open_store, utc_now
from monitor.bootstrap.studies import intents_today, open_scoring
from monitor.calibration import Calibration, TargetAgreement, WeightProposal
from monitor.cli.context import Output, config_option, log_as_configured, print_json, read_config, runs_async, tell
from monitor.cli.context import terminal as console
from monitor.cli.exit_codes import ExitCode
from monitor.cli.progress import model_waiting
from monitor.cli.scoring import SHOWN_CHARACTERS, intents_of, open_lines
from monitor.config import Config
from monitor.errors import ConfigError
from monitor.labelling import Sample
from monitor.store import LabelsWanted, Store
from monitor.studies.calibrate import Unlabelled
from monitor.studies.calibrate import calibrate as held_against
from monitor.studies.labels import Label, parse_scale, read_labels, stored_labels
from monitor.studies.measure import Measurer
from monitor.text import printable

STORED = 10_000
FIGURES = ("spearman", "kappa", "auc", "sensitivity", "specificity", "pass_rate", "corrected_pass_rate")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path), required=False)
@config_option
@click.option("--stored", is_flag=True, help="Take the labels that people gave on the review pages.")
@click.option(
    "--sample",
    type=click.Choice([*(sample.value for sample in Sample), "all"]),
    default=Sample.RANDOM.value,
    show_default=True,
    help="Of the stored labels those of this sample; only rates of `random` hold for all conversations.",
)
@click.option("--scale", default="0-1", show_default=True, help="The worst and the best label, for example 1-5.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws the folds of the fit.")
@click.option("--save/--no-save", default=True, show_default=True, help="Whether alerts and pages learn of it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@runs_async
async def calibrate(
    file: Path | None,
    config_path: Path | None,
    *,
    stored: bool,
    sample: str,
    scale: str,
    seed: int,
    save: bool,
    as_json: bool,
) -> int:
    """Hold scores against the labels of a JSONL FILE (`-`: standard input), or against those that are stored. The
    configuration is not changed.

    Exit code: 0 the figures stand on enough labels, 2 configuration or a wrong line, 3 too few labels, 4
    infrastructure.
    """
    config = read_config(config_path)
    log_as_configured(config, level="warning")
    if (file is None) is not stored:
        raise ConfigError(["write either a FILE of labels or --stored"])
    labels = [] if file is None else _read(file, config, scale)
    store = open_store(config)
    try:
        labels = labels or await _stored(store, None if sample == "all" else Sample(sample))
        found = await _calibrate(config, store, labels, seed)
        if save and found.is_measured:
            await store.offload(store.save_calibration, found)
    finally:
        store.close()
    if as_json:
        print_json(asdict(found) | {"at": found.at.isoformat(), "saved": save and found.is_measured})
    else:
        show(found)
        if not found.is_measured:
            tell("not saved: there are too few labels", err=True)
    return ExitCode.HEALTHY if found.is_measured else ExitCode.INSUFFICIENT_DATA


def _read(file: Path, config: Config, scale: str) -> list[Label]:
    """Every label, or none: figures on a part of the file would be those of another file. Raises ConfigError."""
    try:
        scaled = parse_scale(scale)
    except ValueError as exc:
        raise ConfigError([f"--scale: {exc}"]) from exc
    with open_lines(file) as lines:
        labels, wrong = read_labels(lines, intents_of(config), scale=scaled, at=utc_now())
    if wrong:
        raise ConfigError([printable(f"{file}: {one}", SHOWN_CHARACTERS) for one in wrong])
    if not labels:
        raise ConfigError([f'{file}: no label in it; write {{"conversation_id": "...", "label": 0.8}} a line'])
    return labels


async def _stored(store: Store, sample: Sample | None) -> list[Label]:
    """The newest labels of the review pages; what is not taken is told. Raises ConfigError without any."""
    given = (await store.offload(store.labels, LabelsWanted(), limit=STORED)).rows
    wanted = [label for label in given if sample in (None, label.sample)]
    if not given:
        raise ConfigError(["no label is stored; people give them on the page /review"])
    if len(wanted) < len(given):
        others = "those of the other samples are not taken (--sample all takes them)"
        tell(f"{len(wanted)} of {len(given)} stored labels are of the sample {sample}; {others}", err=True)
    return stored_labels(wanted)


async def _calibrate(config: Config, store: Store, labels: list[Label], seed: int) -> Calibration:
    async with AsyncExitStack() as stack:
        with model_waiting(console) as waiting:
            opened = await stack.enter_async_context(open_scoring(config, on_wait=waiting))
        measurer = Measurer(store=store, scoring=opened.cases, epoch=opened.epoch, intents=intents_today(config))
        with console.status(f"scoring what {len(labels)} labels are about"):
            measured, missing = await measurer.run(labels)
    passed = await store.offload(store.passed, opened.epoch, limit=STORED)
    return held_against(
        measured,
        opened.weights,
        Unlabelled(passed=sum(passed), n=len(passed)),
        calibration_id=uuid4().hex,
        at=utc_now(),
        epoch=opened.epoch,
        not_scored=missing,
        seed=seed,
    )


def show(found: Calibration) -> None:
    """The figures for people."""
    out = Output()
    out.say(f"{found.labels} labels against scores of epoch {found.epoch}")
    for reason, count in sorted(found.not_scored.items()):
        out.say(f"not scored: {count}, {printable(reason)}")
    for target in found.targets:
        _show_target(out, target)
    _show_fit(out, found.fit)


def _show_target(out: Output, target: TargetAgreement) -> None:
    rate = "" if target.base_rate is None else f", {target.base_rate:.0%} of them good"
    title = f"{printable(target.target)}: {target.n} labelled conversations{rate}"
    if target.reason:
        out.say(f"{title}\n  not measured: {target.reason}")
        return
    table = Table("figure", "value", "95 % interval", title=title, title_justify="left")
    for name in FIGURES:
        estimate: Estimate | None = getattr(target, name)
        if estimate is not None:
            table.add_row(name.replace("_", " "), *_cells(estimate))
    out.print(table)
    if target.pass_rate is not None:
        newest = f": the newest, and {STORED} are the most that are looked at" if target.stored >= STORED else ""
        out.say(f"pass rates are of {target.stored} stored conversations of this epoch{newest}")
    if target.judged:
        says = "tell" if target.vouches else "do not tell"
        out.say(f"a judge had a part in {target.judged} of {target.n}: these labels {says} that it can be trusted")


def _cells(estimate: Estimate) -> tuple[str, str]:
    if estimate.value is None:
        return "not measured", estimate.reason
    has_interval = estimate.low is not None and estimate.high is not None
    return f"{estimate.value:.3f}", f"{estimate.low:.3f} to {estimate.high:.3f}" if has_interval else estimate.reason


def _show_fit(out: Output, fit: WeightProposal) -> None:
    if fit.weights is None:
        out.say(f"no weights proposed: {fit.reason}")
        return
    out.say(f"weights that follow the {fit.n} labels (nothing is changed; the epoch would):")
    out.say("scoring:\n  weights:")
    for name, weight in fit.weights.items():
        if weight >= 0.005:
            out.say(f"    {name}: {weight:.2f}")
    for name, estimate in (
        ("on labels it saw", fit.in_sample),
        ("on labels it did not see", fit.out_of_fold),
        ("the weights as they are", fit.as_configured),
    ):
        if estimate is not None:
            out.say(f"Spearman {name}: {' ('.join(_cells(estimate))})")
