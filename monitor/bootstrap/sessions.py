"""What studies play conversations with: one simulated user and one judge, and one or several assistants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from monitor.bootstrap.checks import build_scoring, epoch_facts
from monitor.bootstrap.judge import open_judge
from monitor.bootstrap.parts import open_assistant, redactor, utc_now
from monitor.bootstrap.simulator import open_simulator
from monitor.config import Config
from monitor.conversing import Conversing
from monitor.epoch import epoch_of
from monitor.studies.session import Party


@asynccontextmanager
async def open_parties(
    config: Config, assistants: Sequence[str], *, on_wait: Callable[[float], None] = lambda _: None
) -> AsyncIterator[list[Party]]:
    """A party for each named assistant, in their order. Raises EngineFailure, CompletionFailure, ConfigError."""
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(open_simulator(config, on_wait=on_wait))
        judge = await stack.enter_async_context(open_judge(config))
        scoring = build_scoring(config, simulator.probe, judge)
        epoch = epoch_of(epoch_facts(config, simulator.model))
        parties = []
        for name in assistants:
            settings = config.settings.assistants[name]
            conversing = Conversing(
                user=simulator.user,
                assistant=await stack.enter_async_context(open_assistant(config, name)),
                scoring=scoring,
                redactor=redactor(config),
                epoch=epoch,
                now=utc_now,
            )
            parties.append(
                Party(
                    assistant=name,
                    conversing=conversing,
                    at_once=settings.concurrency,
                    conversation_timeout_seconds=settings.conversation_timeout_seconds,
                )
            )
        yield parties
