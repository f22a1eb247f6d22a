"""`simulate`: one conversation, live in the terminal, scored at its end and not stored."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
from rich.text import Text

from monitor.assistants.contract import ConversationContext
from monitor.bootstrap.checks import build_scoring, epoch_facts
from monitor.bootstrap.judge import open_judge
from monitor.bootstrap.parts import open_assistant, redactor, utc_now
from monitor.bootstrap.simulator import open_simulator
from monitor.check import Conversation
from monitor.cli.check import number
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
from monitor.cli.exit_codes import ExitCode
from monitor.cli.progress import model_waiting
from monitor.config import Config
from monitor.conversing import Conversing
from monitor.epoch import epoch_of
from monitor.errors import ConfigError
from monitor.intent import Intent, Suite
from monitor.seeds import derive
from monitor.text import printable
from monitor.transcript import Role, Turn

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
    out, redact = Output(), redactor(config).redact

    def show(turn: Turn) -> None:
        if not as_json:
            out.say(_line(turn, redact))

    conversation = await _play(config, suite, intent, seed, show)
    if as_json:
        print_json(_report(conversation, seed))
    else:
        _show_end(out, conversation, seed)
    return ExitCode.HEALTHY


async def _play(
    config: Config, suite: Suite, intent: Intent, seed: int, on_turn: Callable[[Turn], None]
) -> Conversation:
    """The conversation as a check would store it. Raises EngineFailure, CompletionFailure."""
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
        conversing = Conversing(
            user=simulator.user,
            assistant=assistant,
            scoring=build_scoring(config, simulator.probe, await stack.enter_async_context(open_judge(config))),
            redactor=redactor(config),
            epoch=epoch_of(epoch_facts(config, simulator.model)),
            now=utc_now,
        )
        return await conversing.play(
            intent, context, seed=derive(seed, intent.id, intent.persona, 0, 1), on_turn=on_turn
        )


def _find(suite: Suite, intent_id: str) -> Intent:
    found = next((intent for intent in suite.intents if intent.id == intent_id), None)
    if found is None:
        names = ", ".join(intent.id for intent in suite.intents)
        raise ConfigError([f"suite {suite.name} has no intent {intent_id!r}; there is: {names}"])
    return found


def _line(turn: Turn, redact: Callable[[str], str]) -> Text:
    colour = "cyan" if turn.role is Role.USER else "green"
    facts = []
    if turn.latency_seconds is not None and not turn.is_fixed_text:
        facts.append(f"{turn.latency_seconds:.2f} s")
    if turn.sampled and turn.sampled.tries > 1:
        facts.append(f"{turn.sampled.tries} tries: {', '.join(turn.sampled.hits)}")
    if turn.sampled and turn.sampled.p_end is not None:
        facts.append(f"P(end) {turn.sampled.p_end:.2f}")
    beside = f" ({'; '.join(facts)})" if facts else ""
    said = printable(redact(turn.text), SHOWN_CHARACTERS)
    return Text.assemble((f"{turn.role:>9}", colour), f"  {said}", (beside, "dim"))


def _show_end(out: Output, conversation: Conversation, seed: int) -> None:
    transcript, score = conversation.transcript, conversation.score
    detail = f": {printable(transcript.detail)}" if transcript.detail else ""
    out.say(f"\n{transcript.outcome} ({transcript.end}){detail}")
    out.say(f"score {number(score.value)}{f' ({printable(score.reason)})' if score.reason else ''}, seed {seed}")
    if conversation.validity and conversation.validity.departure:
        out.say(f"user beyond its intent: {conversation.validity.departure}, {printable(conversation.validity.reason)}")
    for component in score.components:
        out.say(f"  {component.name} {number(component.value)} {printable(component.reason)}".rstrip())
        for item in component.items:
            out.say(Text.assemble(f"    {item.id}: {number(item.value)}  ", (printable(item.reason), "dim")))


def _user(conversation: Conversation) -> dict[str, Any] | None:
    """Whether the user kept to its intent, and why that is known or is not."""
    validity = conversation.validity
    return {"departure": validity.departure, "reason": validity.reason} if validity else None


def _report(conversation: Conversation, seed: int) -> dict[str, Any]:
    transcript, score = conversation.transcript, conversation.score
    return {
        "intent": conversation.intent_id,
        "seed": seed,
        "outcome": transcript.outcome.value,
        "end": transcript.end.value,
        "detail": transcript.detail,
        "score": score.value,
        "passed": score.passed,
        "reason": score.reason,
        "user": _user(conversation),
        "turns": [{"role": turn.role.value, "text": turn.text} for turn in transcript.turns],
        "items": [{"id": item.id, "value": item.value, "reason": item.reason} for item in score.items],
    }
