"""`simulate`: one conversation, live in the terminal, scored at its end and not stored."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from rich.console import Console
from rich.markup import escape

from monitor.assistants.contract import ConversationContext
from monitor.bootstrap.application import build_scoring
from monitor.bootstrap.parts import open_assistant, utc_now
from monitor.bootstrap.simulator import open_simulator
from monitor.cli.check import number
from monitor.cli.context import choose_suite, config_option, log_as_configured, print_json, read_config, runs_async
from monitor.cli.context import terminal as console
from monitor.cli.exit_codes import ExitCode
from monitor.cli.progress import model_waiting
from monitor.errors import ConfigError
from monitor.intent import Intent, Suite
from monitor.score import Score
from monitor.seeds import derive
from monitor.simulate import simulate as play
from monitor.text import printable
from monitor.transcript import Role, Transcript, Turn

SHOWN_CHARACTERS = 2000


@click.command()
@click.argument("intent_id", metavar="INTENT")
@config_option
@click.option("--suite", "suite_name", help="Which suite; needed when the configuration has several.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of the conversation; a fresh one without it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end instead of talking live.")
@runs_async
async def simulate(
    intent_id: str, config_path: Path | None, suite_name: str | None, *, seed: int | None, as_json: bool
) -> int:
    """Play one intent against its assistant and watch."""
    config = read_config(config_path)
    log_as_configured(config, level="warning")
    suite = config.suites[choose_suite(config, suite_name)]
    intent = _find(suite, intent_id)
    seed = secrets.randbits(63) if seed is None else seed
    out = Console(highlight=False)
    async with AsyncExitStack() as stack:
        with model_waiting(console) as waiting:
            simulator = await stack.enter_async_context(open_simulator(config, on_wait=waiting))
        assistant = await stack.enter_async_context(open_assistant(config, suite.assistant))
        timeout = config.settings.assistants[suite.assistant].conversation_timeout_seconds
        context = ConversationContext(
            conversation_id=uuid4().hex,
            check_id="simulate",
            suite=suite.name,
            intent_id=intent.id,
            deadline=asyncio.get_running_loop().time() + timeout,
        )
        transcript = await play(
            intent,
            simulator.user,
            assistant,
            context,
            seed=derive(seed, intent.id, intent.persona, 0, 1),
            now=utc_now,
            on_turn=(lambda _: None) if as_json else (lambda turn: out.print(_line(turn))),
        )
    score = await build_scoring(config).score(intent, transcript)
    if as_json:
        print_json(_report(intent, transcript, score, seed))
    else:
        _show_end(out, transcript, score, seed)
    return ExitCode.HEALTHY


def _find(suite: Suite, intent_id: str) -> Intent:
    found = next((intent for intent in suite.intents if intent.id == intent_id), None)
    if found is None:
        names = ", ".join(intent.id for intent in suite.intents)
        raise ConfigError([f"suite {suite.name} has no intent {intent_id!r}; there is: {names}"])
    return found


def _line(turn: Turn) -> str:
    colour = "cyan" if turn.role is Role.USER else "green"
    facts = []
    if turn.latency_seconds is not None:
        facts.append(f"{turn.latency_seconds:.2f} s")
    if turn.sampled and turn.sampled.tries > 1:
        facts.append(f"{turn.sampled.tries} tries: {', '.join(turn.sampled.hits)}")
    if turn.sampled and turn.sampled.p_end is not None:
        facts.append(f"P(end) {turn.sampled.p_end:.2f}")
    beside = f" [dim]({'; '.join(facts)})[/dim]" if facts else ""
    return f"[{colour}]{turn.role:>9}[/{colour}]  {escape(printable(turn.text, SHOWN_CHARACTERS))}{beside}"


def _show_end(out: Console, transcript: Transcript, score: Score, seed: int) -> None:
    detail = f": {printable(transcript.detail)}" if transcript.detail else ""
    out.print(f"\n{transcript.outcome} ({transcript.end}){escape(detail)}")
    out.print(f"score {number(score.value)}{f' ({escape(score.reason)})' if score.reason else ''}, seed {seed}")
    for component in score.components:
        out.print(f"  {component.name} {number(component.value)} {escape(component.reason)}")
        for item in component.items:
            out.print(f"    {item.id}: {number(item.value)}  [dim]{escape(printable(item.reason))}[/dim]")


def _report(intent: Intent, transcript: Transcript, score: Score, seed: int) -> dict[str, Any]:
    return {
        "intent": intent.id,
        "seed": seed,
        "outcome": transcript.outcome.value,
        "end": transcript.end.value,
        "detail": transcript.detail,
        "score": score.value,
        "passed": score.passed,
        "reason": score.reason,
        "turns": [{"role": turn.role.value, "text": turn.text} for turn in transcript.turns],
        "items": [{"id": item.id, "value": item.value, "reason": item.reason} for item in score.items],
    }
