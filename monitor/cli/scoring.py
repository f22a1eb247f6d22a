"""`score`: conversations from anywhere, scored without an assistant and without a database."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any

import click

from monitor.bootstrap.parts import utc_now
from monitor.bootstrap.studies import open_scoring, plain_scoring
from monitor.cli.context import config_option, log_as_configured, read_config, runs_async, tell
from monitor.cli.context import terminal as console
from monitor.cli.exit_codes import ExitCode
from monitor.cli.progress import model_waiting
from monitor.config import Config
from monitor.config.intents import intent_from
from monitor.errors import ConfigError
from monitor.intent import Intent
from monitor.score import ItemScore, Score
from monitor.studies.lines import FindIntent, Given, Wrong, read_case, read_objects
from monitor.studies.measure import CaseScoring
from monitor.studies.pace import in_order
from monitor.studies.unscored import is_fault
from monitor.text import printable

AT_ONCE = 8
SHOWN_CHARACTERS = 2000


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@config_option
@click.option(
    "--json-file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the lines into a file instead of standard output.",
)
@runs_async
async def score(file: Path, config_path: Path | None, *, json_file: Path | None) -> int:
    """Score conversations of a JSONL FILE (`-`: standard input), one JSON object out for each.

    Without --config: `task` and `conduct` by their default weights, and no judge. Exit code: 0 all are scored, 2
    configuration, 3 a line was wrong or a conversation has no score, 4 infrastructure, 5 scoring one broke (the others
    are scored all the same).
    """
    config = read_config(config_path) if config_path else None
    if config:
        log_as_configured(config, level="warning")
    find_intent = intents_of(config)
    counts: Counter[str] = Counter()
    faults = 0
    with ExitStack() as files:
        out = files.enter_context(_output(json_file))
        lines = files.enter_context(open_lines(file))
        async with _scoring(config) as scoring:
            async for found in _scored(lines, scoring, find_intent):
                if isinstance(found, Wrong):
                    counts["wrong"] += 1
                    tell(printable(str(found), SHOWN_CHARACTERS), err=True)
                    continue
                given, made = found
                counts["scored" if made.value is not None else "without a score"] += 1
                faults += made.value is None and is_fault(made.reason)
                _write(report(given, made), out)
    if not counts:
        raise ConfigError([f"{file}: no conversation in it; write one JSON object a line"])
    tell(f"{counts['scored']} scored, {counts['without a score']} without a score, {counts['wrong']} wrong", err=True)
    if faults:
        return ExitCode.INTERNAL
    return ExitCode.HEALTHY if counts.keys() <= {"scored"} else ExitCode.INSUFFICIENT_DATA


async def _scored(
    lines: Iterator[str], scoring: CaseScoring, find_intent: FindIntent
) -> AsyncIterator[tuple[Given, Score] | Wrong]:
    """Each line's conversation with its score, in order; no more are read than are scored at once."""
    at = utc_now()

    async def one(found: tuple[int, dict[str, Any]] | Wrong) -> tuple[Given, Score] | Wrong:
        given = found if isinstance(found, Wrong) else read_case(*found, find_intent, at=at)
        return given if isinstance(given, Wrong) else (given, await scoring.score(given.case))

    async for result in in_order(read_objects(lines), one, at_once=AT_ONCE):
        yield result


@asynccontextmanager
async def _scoring(config: Config | None) -> AsyncIterator[CaseScoring]:
    async with AsyncExitStack() as stack:
        if config is None:
            yield plain_scoring()
            return
        with model_waiting(console) as waiting:
            opened = await stack.enter_async_context(open_scoring(config, on_wait=waiting))
        yield opened.cases


def intents_of(config: Config | None) -> FindIntent:
    """Finds an intent by its id (`SUITE/ID` where suites differ on it), or makes one of an object."""
    known: dict[str, list[Intent]] = {}
    for name, suite in (config.suites if config else {}).items():
        for intent in suite.intents:
            known.setdefault(intent.id, []).append(intent)
            known.setdefault(f"{name}/{intent.id}", []).append(intent)

    def find(given: object) -> Intent:
        if not isinstance(given, str):
            return intent_from(given)
        found = {intent.fingerprint: intent for intent in known.get(given, ())}
        if not found:
            where = f"{config.path} has none of this id" if config else "there is no --config to look it up in"
            raise ConfigError([f"{given!r}: {where}; write an object with description and checklist, or leave it out"])
        if len(found) > 1:
            raise ConfigError([f"several suites have an intent {given!r}; write SUITE/{given}"])
        return next(iter(found.values()))

    return find


@contextmanager
def open_lines(file: Path) -> Iterator[Iterator[str]]:
    """The lines of a file, or of standard input; what is no UTF-8 shows as U+FFFD."""
    with click.open_file(str(file), encoding="utf-8", errors="replace") as opened:
        yield iter(opened)


@contextmanager
def _output(file: Path | None) -> Iterator[IO[str] | None]:
    if file is None:
        yield None
        return
    try:
        opened = file.open("w", encoding="utf-8")
    except OSError as exc:
        raise ConfigError([f"--json-file: {file} cannot be written: {exc.strerror}"]) from exc
    with opened:
        yield opened


def _write(value: dict[str, Any], out: IO[str] | None) -> None:
    line = json.dumps(value, allow_nan=False)
    if out is None:
        tell(line)
    else:
        out.write(line + "\n")


def report(given: Given, made: Score) -> dict[str, Any]:
    """A conversation's score for machines. Numbers that were not measured are null."""
    judged = made.judged
    return {
        "id": given.id,
        "score": made.value,
        "passed": made.passed,
        "reason": made.reason,
        "gate": made.gate,
        "intent": given.case.intent.id,
        "components": [
            {
                "name": component.name,
                "value": component.value,
                "reason": component.reason,
                "signals": dict(component.signals),
                "items": [_item(item, given) for item in component.items],
            }
            for component in made.components
        ],
        "judged": {"calls": judged.calls, "cost": judged.cost} if judged else None,
    }


def _item(item: ItemScore, given: Given) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": item.kind,
        "value": item.value,
        "reason": item.reason,
        "weight": item.weight,
        "critical": item.critical,
        "is_on": item.is_on,
        "evidence": [
            {"turn": seen.turn, "message": _message(seen.turn, given), "quote": seen.quote} for seen in item.evidence
        ],
    }


def _message(turn: int, given: Given) -> int | None:
    """The index of the message, as it was given, that a turn comes from."""
    return given.messages[turn] if 0 <= turn < len(given.messages) else None
