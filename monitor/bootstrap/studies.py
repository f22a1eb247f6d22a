"""The scoring of a configuration without its checks: no assistant, a user model only where a component asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from monitor.bootstrap.checks import build_scoring, epoch_facts
from monitor.bootstrap.judge import open_judge
from monitor.bootstrap.parts import redactor
from monitor.bootstrap.simulator import open_simulator
from monitor.config import Config
from monitor.config.suites import ScoringSettings
from monitor.epoch import epoch_of
from monitor.redact import Redactor
from monitor.scorers.conduct import Conduct
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from monitor.studies.measure import CaseScoring
from monitor.studies.rescore import Intents

ASKS_THE_USER_MODEL = frozenset({"experience"})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenScoring:
    """What scores, and the epoch of what it gives."""

    cases: CaseScoring
    epoch: str
    weights: dict[str, float]


def plain_scoring() -> CaseScoring:
    """The scoring of a configuration that says nothing of it: `task` and `conduct`, no judge."""
    redact = Redactor()
    return CaseScoring(
        scoring=Scoring([Task(), Conduct()], ScoringSettings().weights, redactor=redact), redactor=redact
    )


@asynccontextmanager
async def open_scoring(config: Config, *, on_wait: Callable[[float], None]) -> AsyncIterator[OpenScoring]:
    """The scoring of a configuration. Raises EngineFailure, CompletionFailure, ConfigError."""
    settings = config.settings
    async with AsyncExitStack() as stack:
        probe = model = None
        served = settings.simulator.model.name if settings.simulator.model else None
        # What servers elsewhere serve is part of the epoch, and asking them loads nothing.
        if settings.simulator.servers or ASKS_THE_USER_MODEL & settings.scoring.weights.keys():
            simulator = await stack.enter_async_context(open_simulator(config, on_wait=on_wait))
            probe, model = simulator.probe, simulator.model
            served = model.name if model else None
        judge = await stack.enter_async_context(open_judge(config))
        facts = epoch_facts(config, model)
        if "served" in facts:
            facts["served"] = served
        yield OpenScoring(
            cases=CaseScoring(scoring=build_scoring(config, probe, judge), redactor=redactor(config)),
            epoch=epoch_of(facts),
            weights=settings.scoring.weights,
        )


def intents_today(config: Config) -> Intents:
    """The intents of each suite."""
    return {name: {intent.id: intent for intent in suite.intents} for name, suite in config.suites.items()}
