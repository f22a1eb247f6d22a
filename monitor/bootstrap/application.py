"""Checks and the daemon, put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from starlette.types import ASGIApp

from monitor.assistants.contract import Assistant
from monitor.bootstrap.canaries import Use, build_canaries, has_canaries
from monitor.bootstrap.engine import beside, engine_pages, open_residency
from monitor.bootstrap.experience import experience_facts, experience_scorers
from monitor.bootstrap.judge import judge_facts, open_judge, quality
from monitor.bootstrap.operations import open_operations
from monitor.bootstrap.parts import (
    channel_names,
    open_assistant,
    open_notifiers,
    open_store,
    owner_name,
    redactor,
    state_sources,
    utc_now,
)
from monitor.bootstrap.simulator import Simulator, open_simulator, user_examples
from monitor.briefing import Surroundings
from monitor.check import Conversation, Watched
from monitor.completions import ModelInfo
from monitor.config import Config
from monitor.config.fields import Address
from monitor.config.routes import alert_policy
from monitor.config.rules import rules_policy
from monitor.daemon import Daemon, Pulse, ScheduledCheck
from monitor.delivery import Sender
from monitor.engine_metrics import EngineMetrics
from monitor.epoch import epoch_of
from monitor.errors import ConfigError
from monitor.healthcheck import Decision, HealthCheck
from monitor.judge_metrics import JudgeMetrics
from monitor.metrics import Metrics
from monitor.operations import Operations
from monitor.schedule import longest_pause
from monitor.scorers.conduct import Conduct
from monitor.scorers.contract import Judge, UserProbe
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from monitor.sdnotify import ServiceManager
from monitor.store import Store
from monitor.studies.canaries import CanaryStudy
from monitor.studies.measure import CaseScoring
from monitor.supervisor import EngineState
from monitor.validity import QUESTIONS as USER_QUESTIONS
from monitor.web.health import Health
from monitor.web.operations import operations_app
from monitor.web.pages import pages_app
from monitor.web.reports import ToolCallReports
from monitor.web.server import WebServer

EXTEND_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A monitor that runs: its checks, its outbox and what the world sees. Addresses are None where turned off.

    `news` is set when a message was delivered, for whoever publishes numbers. `canaries` None: they are not scored.
    """

    config: Config
    store: Store
    checks: Mapping[str, HealthCheck]
    sender: Sender
    metrics: Metrics
    pulse: Pulse
    publish: Callable[[], Awaitable[None]]
    owner: str
    metrics_url: str | None
    pages_url: str | None
    news: asyncio.Event
    operations: Operations
    canaries: CanaryStudy | None = None

    def daemon(self, manager: ServiceManager) -> Daemon:
        """The application run by the clock."""
        schedules = {name: schedule for name, schedule in self.config.schedules.items() if schedule is not None}
        if not schedules:
            raise ConfigError([f"{self.config.path}: suites: none has a schedule; add one, or use `check`"])
        settings = self.config.settings
        engine = settings.simulator.engine
        return Daemon(
            suites={
                name: ScheduledCheck(
                    check=self.checks[name],
                    schedule=schedule,
                    second_attempt_grace_seconds=settings.suites[name].second_attempt_grace_seconds,
                    run_seed=settings.simulator.run_seed,
                    user_wait_seconds=engine.startup_timeout_seconds if engine.unload_after_seconds else 0.0,
                )
                for name, schedule in schedules.items()
            },
            store=self.store,
            sender=self.sender,
            pulse=self.pulse,
            manager=manager,
            owner=self.owner,
            now=utc_now,
            retire=self.retire_alerts,
            tick_alerts=self.tick_alerts,
            publish=self.publish,
            news=self.news,
            retention_days=settings.store.retention_days,
            canaries=self.canaries,
            canary_seconds=settings.canaries.every_seconds,
        )

    async def retire_alerts(self) -> None:
        """Close the alerts of suites, intents and rules that are not configured any more: whoever was paged is told."""
        await self._step_alerts(self.operations.retire)

    async def tick_alerts(self) -> None:
        """Let time act on open incidents."""
        await self._step_alerts(self.operations.tick)

    async def _step_alerts(self, step: Callable[[], int]) -> None:
        if await self.store.offload(step):
            self.sender.wake()
            self.news.set()


@asynccontextmanager
async def open_application(config: Config, manager: ServiceManager) -> AsyncIterator[Application]:
    """Everything that the daemon needs, web servers first, so that health can be asked while a model is loaded.

    Raises StoreFailure, EngineFailure, CompletionFailure, and MonitorError for an address that is taken.
    """
    async with AsyncExitStack() as stack:
        store = open_store(config)
        stack.callback(store.close)
        store.lock()
        pulse, owner, news = Pulse(time.monotonic), owner_name(), asyncio.Event()
        simulator: Simulator | None = None

        def live() -> dict[str, float]:
            return {
                "store_reachable": float(store.is_reachable),
                "heartbeat_age_seconds": pulse.age_seconds,
            } | _engine_numbers(config, simulator)

        engines = EngineMetrics(engine_pages(config, stack))
        judging = _judge_metrics(config)
        metrics = _metrics(config, live, engines, judging)
        metrics_url, pages_url = _serve(config, stack, store, metrics, pulse)
        publish = _publisher(config, store, metrics)

        def wait_on(seconds: float) -> None:
            if not pulse.is_ready:
                pulse.reason = f"the user model has been loading for {seconds:.0f} s"
                manager.starting(pulse.reason, EXTEND_SECONDS)

        await publish()  # what was measured before, and that it grows old, is told while the model is waited for
        simulator = await stack.enter_async_context(open_simulator(config, is_daemon=True, on_wait=wait_on))
        residency = open_residency(config, simulator.supervisor, stack)
        beside(stack, engines.keep_fresh(), "engine-metrics")
        pulse.reason = "starting"
        channels = await stack.enter_async_context(open_notifiers(config))
        assistants = await _open_assistants(config, stack)
        judge = await stack.enter_async_context(open_judge(config, *([judging.observe] if judging else [])))
        user_in_use = residency.in_use if residency else nullcontext
        checks = {
            name: build_check(
                config,
                name,
                simulator=simulator,
                judge=judge,
                assistant=assistants[suite.assistant],
                store=store,
                base_url=config.settings.public_url or pages_url,
                publish=publish,
                observe=partial(metrics.observe, name),
                user_in_use=user_in_use,
            )
            for name, suite in config.suites.items()
        }
        yield Application(
            config=config,
            store=store,
            checks=checks,
            sender=Sender(store, channels, owner=owner, on_finished=news.set),
            metrics=metrics,
            pulse=pulse,
            publish=publish,
            owner=owner,
            metrics_url=metrics_url,
            pages_url=pages_url,
            news=news,
            operations=open_operations(config, store, pages_url),
            canaries=_canaries(config, simulator, judge, store, user_in_use),
        )


def _metrics(
    config: Config, live: Callable[[], dict[str, float]], engines: EngineMetrics, judging: JudgeMetrics | None
) -> Metrics:
    """What `/metrics` shows."""
    return Metrics(
        live,
        engines=lambda: chain(engines.families(), judging.families() if judging else ()),
        suites=config.suites,
        channels=channel_names(config),
    )


def _publisher(config: Config, store: Store, metrics: Metrics) -> Callable[[], Awaitable[None]]:
    """Takes the numbers of all suites from the store and hands them to `metrics`."""
    watched = {name: _watched(config, name) for name in config.suites}

    async def publish() -> None:
        snapshot = await store.offload(store.snapshot, watched, now=utc_now())
        metrics.publish(snapshot if has_canaries(config) else replace(snapshot, canaries=None))

    return publish


def _canaries(
    config: Config, simulator: Simulator, judge: Judge | None, store: Store, user_in_use: Use
) -> CanaryStudy | None:
    """The canaries under the scoring of the checks; None where they are off."""
    if not has_canaries(config):
        return None
    scoring = CaseScoring(scoring=build_scoring(config, simulator.probe, judge), redactor=redactor(config))
    return build_canaries(config, scoring, epoch_of(epoch_facts(config, simulator.model)), store, user_in_use)


async def _open_assistants(config: Config, stack: AsyncExitStack) -> dict[str, Assistant]:
    """The assistants that a suite names, by their names; they end with the stack."""
    return {
        name: await stack.enter_async_context(open_assistant(config, name))
        for name in sorted({suite.assistant for suite in config.suites.values()})
    }


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
            policy_of=partial(alert_policy, settings.notify, suite),
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
    )


def _watched(config: Config, suite_name: str) -> Watched:
    """What is expected of a suite. Two slots may be lost before it counts as unwatched."""
    suite, schedule = config.settings.suites[suite_name], config.schedules[suite_name]
    stale_after = None
    if schedule is not None:
        pause = longest_pause(schedule, utc_now()).total_seconds()
        stale_after = 2 * pause + suite.timeout_seconds + suite.second_attempt_grace_seconds
    return Watched(threshold=config.suites[suite_name].threshold, stale_after_seconds=stale_after)


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


def _judge_metrics(config: Config) -> JudgeMetrics | None:
    """The judge's figures, None without a judge."""
    judge = config.settings.judge
    return JudgeMetrics(has_prices=judge.prices is not None) if judge else None


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


def _serve(
    config: Config, stack: AsyncExitStack, store: Store, metrics: Metrics, pulse: Pulse
) -> tuple[str | None, str | None]:
    """Start both listeners; their URLs."""
    server = config.settings.server

    def health() -> Health:
        return Health(ok=pulse.is_beating, reason="ok" if pulse.is_beating else "the event loop makes no progress")

    def ready() -> Health:
        return Health(ok=pulse.is_ready, reason=pulse.reason)

    metrics_app = operations_app(metrics, health, ready)
    pages = pages_app(
        store,
        lambda: metrics.snapshot,
        base_url=config.settings.public_url,
        token=server.pages_token.reveal() if server.pages_token else None,
        calibration_days=config.settings.scoring.calibration_days,
        reports=ToolCallReports(store.save_reported, redactor(config).redact, utc_now),
    )
    return _listen(stack, metrics_app, server.metrics), _listen(stack, pages, server.pages)


def _listen(stack: AsyncExitStack, app: ASGIApp, address: Address | None) -> str | None:
    """The URL of a listener that ends with the stack; None where it is turned off."""
    if address is None:
        return None
    web = WebServer(app, host=address.host, port=address.port)
    web.start()
    stack.callback(web.stop)
    host, port = web.address
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _engine_numbers(config: Config, simulator: Simulator | None) -> dict[str, float]:
    """How the user model's server is. Nothing where users have none."""
    if config.settings.simulator.kind == "scripted":
        return {}
    if simulator is None:
        return {"engine_ready": 0.0}
    if simulator.supervisor is None:
        answered = simulator.client.is_answered if simulator.client else None
        return {} if answered is None else {"engine_ready": float(answered)}
    return {
        "engine_ready": float(simulator.supervisor.state is EngineState.READY),
        "engine_restarts_total": float(simulator.supervisor.restarts),
        "engine_unloaded": float(simulator.supervisor.state is EngineState.UNLOADED),
    }
