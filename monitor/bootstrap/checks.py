"""One suite's checks, put together: the scoring that a configuration wants, and the epoch of what it gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any

from monitor.assistants.contract import Assistant
from monitor.bootstrap.canaries import has_canaries
from monitor.bootstrap.experience import experience_facts, experience_scorers
from monitor.bootstrap.judge import judge_facts, quality
from monitor.bootstrap.parts import redactor, state_sources, utc_now
from monitor.bootstrap.simulator import Simulator, user_examples
from monitor.briefing import Surroundings
from monitor.check import Conversation
from monitor.completions import ModelInfo
from monitor.config import Config
from monitor.config.routes import alert_policy
from monitor.config.rules import rules_policy
from monitor.epoch import epoch_of
from monitor.healthcheck import Decision, HealthCheck
from monitor.keeping import Keeper
from monitor.scorers.conduct import Conduct
from monitor.scorers.contract import Judge, UserProbe
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from monitor.store import Store
from monitor.validity import QUESTIONS as USER_QUESTIONS


def build_check(
    config: Config,
    suite_name: str,
    *,
    simulator: Simulator,
    judge: Judge | None,
    assistant: Assistant,
    store: Store,
    base_url: str | None,
    publish: Callable[[], Awaitable[None]],
    observe: Callable[[Conversation], None] = lambda _: None,
    user_in_use: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
    hears_reports: bool = True,
    keeper: Keeper | None = None,
) -> HealthCheck:
    """Everything that one suite's checks need, put together. `hears_reports`: where pages are configured, they run."""
    settings, suite = config.settings, config.suites[suite_name]
    limits = settings.assistants[suite.assistant]
    scoring = build_scoring(config, simulator.probe, judge)
    return HealthCheck(
        suite=suite,
        user=simulator.user,
        assistant=assistant,
        scoring=scoring,
        store=store,
        decision=Decision(
            rules=rules_policy(config.settings, suite_name),
            policy_of=partial(alert_policy, settings.notify, suite, maintenance=config.maintenance),
            surroundings=Surroundings(app=settings.app, environment=settings.environment, base_url=base_url),
            calibration_days=settings.scoring.calibration_days if scoring.judge else None,
            canary_seconds=settings.canaries.every_seconds if has_canaries(config) else None,
        ),
        redactor=redactor(config),
        epoch=epoch_of(epoch_facts(config, simulator.model)),
        conversations_at_once=limits.concurrency,
        conversation_timeout_seconds=limits.conversation_timeout_seconds,
        now=utc_now,
        publish=publish,
        observe=observe,
        user_in_use=user_in_use,
        hears_reports=hears_reports and settings.server.pages is not None,
        keeper=keeper,
    )


def build_scoring(config: Config, probe: UserProbe | None = None, judge: Judge | None = None) -> Scoring:
    """The components that the configuration turns on. `probe`: the user model, which `experience` needs; `judge`: that
    of `open_judge`.
    """
    task = Task(state_sources(config), redactor(config).redact)
    return Scoring(
        [task, quality(), *experience_scorers(config, probe), Conduct()],
        config.settings.scoring.weights,
        judge=judge,
        redactor=redactor(config),
    )


def epoch_facts(config: Config, model: ModelInfo | None) -> dict[str, Any]:
    """What an epoch is made of."""
    simulator = config.settings.simulator
    facts: dict[str, Any] = {"kind": simulator.kind, "weights": config.settings.scoring.weights, **judge_facts(config)}
    if simulator.kind == "scripted":
        return facts
    return facts | {
        "model": simulator.model.model_dump(mode="json", include={"name", "revision", "dtype"})
        if simulator.model
        else None,
        "served": model.name if model else None,
        "sampling": simulator.sampling.model_dump(mode="json"),
        "guardrails": simulator.guardrails.model_dump(mode="json", exclude={"preset"}),
        "window": simulator.window,
        "examples": user_examples() if simulator.kind == "prompted" else None,
        "user_questions": USER_QUESTIONS,
        **experience_facts(config),
    }
