"""The one place that builds the object graph: from a configuration to parts that run.

Adapters take plain arguments; nothing below this module sees the configuration.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from monitor.assistants.budget import Allowance
from monitor.assistants.contract import Assistant
from monitor.assistants.limits import KillSwitch, LimitedAssistant, Limits
from monitor.assistants.openai_chat import OpenAiChatAssistant
from monitor.closing import Surroundings
from monitor.completions import CompletionClient, ModelInfo, read_model_info
from monitor.config import Config
from monitor.engine.settings import EngineSettings
from monitor.epoch import epoch_of
from monitor.errors import ConfigError, EngineFailure
from monitor.healthcheck import Decision, HealthCheck
from monitor.http import HttpClient
from monitor.incident import AlertPolicy
from monitor.notify.contract import Notifier
from monitor.notify.pagerduty import PagerDuty
from monitor.notify.slack_bot import SlackBot
from monitor.notify.slack_webhook import SlackWebhook
from monitor.package_data import data_folder
from monitor.prompt import ChatFormat, FewShotFormat
from monitor.redact import Redactor
from monitor.rules import MeanPolicy
from monitor.scorers.conduct import Conduct
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from monitor.store import Store
from monitor.supervisor import EngineSupervisor, Patience, engine_command
from monitor.tokens import Vocabulary
from monitor.user.contract import UserSimulator
from monitor.user.guardrails import Guardrails
from monitor.user.prompted import PromptedUser
from monitor.user.sampling import Sampling
from monitor.user.scripted import ScriptedUser
from monitor.user.userlm import UserLm
from monitor.verdict import Severity

SOCKET_NAME = "engine.sock"
LONGEST_SOCKET_PATH = 100
"""Unix sockets end at 108 bytes (unix(7))."""
RECOVERY_SECONDS = 1.0


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """The simulated user with what it runs on. `model` None: it needs none; `supervisor` None: somebody else's."""

    user: UserSimulator
    model: ModelInfo | None = None
    supervisor: EngineSupervisor | None = None


def redactor(config: Config) -> Redactor:
    """Replaces the configuration's secrets and patterns."""
    secrets = {f"secret-{number}": secret.reveal() for number, secret in enumerate(config.secrets, 1)}
    return Redactor(config.settings.redact.patterns, secrets)


def open_store(config: Config) -> Store:
    """The database of the configuration. Raises StoreFailure."""
    return Store.open(config.store_url.reveal())


@asynccontextmanager
async def open_assistant(config: Config, name: str) -> AsyncIterator[Assistant]:
    """One assistant of the configuration behind its limits."""
    settings = config.settings.assistants[name]
    secret_headers = {header: secret.value.reveal() for header, secret in settings.secret_headers.items()}
    http = HttpClient(max_response_bytes=settings.max_response_bytes, max_connections=settings.concurrency)
    inner = OpenAiChatAssistant(
        name,
        http,
        settings.url,
        model=settings.model,
        api_key=settings.api_key.reveal() if settings.api_key else None,
        headers={**settings.headers, **secret_headers},
        stream=settings.stream,
        turn_timeout_seconds=settings.turn_timeout_seconds,
        system_prompt=settings.system_prompt,
        extra_body=settings.extra_body,
    )
    budgets = settings.budgets
    limits = Limits(
        max_concurrent=settings.concurrency,
        requests_per_second=settings.requests_per_second,
        per_check=Allowance(requests=budgets.requests_per_check, tokens=budgets.tokens_per_check),
        per_day=Allowance(requests=budgets.requests_per_day, tokens=budgets.tokens_per_day),
    )
    switch = KillSwitch(enabled=settings.enabled, file=settings.kill_switch_file)
    limited = LimitedAssistant(inner, limits, switch=switch)
    try:
        yield limited
    finally:
        await limited.aclose()


@asynccontextmanager
async def open_notifiers(config: Config) -> AsyncIterator[Mapping[str, Notifier]]:
    """The channels of the configuration, by name."""
    notify = config.settings.notify
    channels: list[Notifier] = []
    async with AsyncExitStack() as stack:
        if notify.slack and notify.slack.token:
            token, channel = notify.slack.token.reveal(), notify.slack.channel or ""
            channels.append(SlackBot(token=token, destination=channel, base_url=notify.slack.base_url))
        elif notify.slack and notify.slack.webhook_url:
            channels.append(SlackWebhook(url=notify.slack.webhook_url.reveal()))
        if notify.pagerduty:
            http = HttpClient()
            stack.push_async_callback(http.aclose)
            key = notify.pagerduty.routing_key.reveal()
            channels.append(PagerDuty(http, routing_key=key, url=notify.pagerduty.url))
        yield {channel.channel: channel for channel in channels}


@asynccontextmanager
async def open_simulator(
    config: Config, *, is_daemon: bool = False, on_wait: Callable[[float], None] = lambda _: None
) -> AsyncIterator[Simulator]:
    """The simulated user, on a server elsewhere, on a running daemon's engine, or on an engine child of its own.

    `on_wait` hears the seconds waited while a model is loaded. Raises EngineFailure, CompletionFailure, ConfigError.
    """
    settings = config.settings.simulator
    if settings.kind == "scripted":
        yield Simulator(user=ScriptedUser())
        return
    async with AsyncExitStack() as stack:
        if settings.servers:
            client, supervisor = _server_client(config), None
        else:
            path = config.settings.state_dir / SOCKET_NAME
            if not is_daemon and _is_listening(path):
                supervisor = None
            else:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="assistant-monitor-"))
                path = path if is_daemon else Path(folder) / SOCKET_NAME
                supervisor = _supervisor(config, path, on_wait)
                stack.push_async_callback(supervisor.stop)
                await supervisor.start()
            http = HttpClient(socket=str(path), max_response_bytes=100_000_000, max_connections=1000)
            stack.push_async_callback(http.aclose)
            client = CompletionClient(http, "http://engine", recover=_recovery(supervisor))
        info = await _model_info(config, client)
        yield Simulator(user=_user(config, client, info), model=info, supervisor=supervisor)


def build_check(
    config: Config,
    suite_name: str,
    *,
    simulator: Simulator,
    assistant: Assistant,
    store: Store,
    channels: Mapping[str, Notifier],
    base_url: str | None,
    publish: Callable[[], Any],
) -> HealthCheck:
    """Everything that one suite's checks need, put together."""
    settings, suite = config.settings, config.suites[suite_name]
    alerting = settings.alerting
    rule = MeanPolicy(
        threshold=suite.threshold,
        failing_checks=alerting.failing_checks,
        window_checks=alerting.window_checks,
        recovery_checks=alerting.recovery_checks,
        valid_share=alerting.valid_share,
        severity=Severity(alerting.severity),
    )
    weights = settings.scoring.weights
    return HealthCheck(
        suite=suite,
        user=simulator.user,
        assistant=assistant,
        scoring=Scoring([Task(), Conduct()], weights),
        store=store,
        decision=Decision(
            rule=rule,
            policy=AlertPolicy(channels=tuple(channels)),
            surroundings=Surroundings(app=settings.app, environment=settings.environment, base_url=base_url),
        ),
        redactor=redactor(config),
        epoch=epoch_of(epoch_facts(config, simulator.model)),
        conversation_timeout_seconds=settings.assistants[suite.assistant].conversation_timeout_seconds,
        now=utc_now,
        publish=publish,
    )


def epoch_facts(config: Config, model: ModelInfo | None) -> dict[str, Any]:
    """What an epoch is made of."""
    simulator = config.settings.simulator
    facts: dict[str, Any] = {"kind": simulator.kind, "weights": config.settings.scoring.weights}
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
    }


def user_examples() -> str:
    """The example chats that a prompted user continues."""
    return (data_folder("config") / "prompts" / "user_examples.txt").read_text(encoding="utf-8")


def owner_name() -> str:
    """Who this process is, for leases: host, pid, and something that a restart changes."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"


def _server_client(config: Config) -> CompletionClient:
    if len(config.settings.simulator.servers) > 1:
        raise ConfigError([f"{config.path}: simulator.servers: this version uses one server; keep the first"])
    server = config.settings.simulator.servers[0]
    key = server.api_key.reveal() if server.api_key else None
    return CompletionClient(
        HttpClient(max_response_bytes=100_000_000, max_connections=1000),
        server.url,
        model=server.model,
        api_key=key,
        recover=_recovery(None),
    )


def _supervisor(config: Config, path: Path, on_wait: Callable[[float], None]) -> EngineSupervisor:
    if len(str(path)) > LONGEST_SOCKET_PATH:
        raise ConfigError([f"{config.path}: state_dir: {path} is too long for a Unix socket; choose a shorter folder"])
    model, engine = config.settings.simulator.model, config.settings.simulator.engine
    assert model is not None, "validated"
    settings = EngineSettings(
        model=model.name,
        revision=model.revision,
        device=model.device,
        dtype=model.dtype,
        socket=path,
        max_context=engine.max_context,
        max_batch_tokens=engine.max_batch_tokens,
        max_slots=engine.max_slots,
        queue=engine.queue,
        threads=engine.threads,
        cache_dir=config.model_cache_dir,
        parent_pid=os.getpid(),
    )
    patience = Patience(startup=engine.startup_timeout_seconds, health_interval=0.5)
    return EngineSupervisor(engine_command(settings), path, patience=patience, on_wait=on_wait)


def _recovery(supervisor: EngineSupervisor | None) -> Callable[[], Any]:
    async def recover() -> None:
        await asyncio.sleep(RECOVERY_SECONDS)
        if supervisor is not None:
            await supervisor.wait_ready()

    return recover


async def _model_info(config: Config, client: CompletionClient) -> ModelInfo:
    settings = config.settings.simulator
    if settings.tokenizer is not None:
        return await asyncio.to_thread(read_model_info, settings.tokenizer, settings.window)
    info = await client.model_info()
    if info.max_context < settings.window:
        raise EngineFailure(f"simulator.window is {settings.window}, but the model takes {info.max_context} tokens")
    return info


def _user(config: Config, client: CompletionClient, info: ModelInfo) -> UserSimulator:
    settings = config.settings.simulator
    vocabulary = Vocabulary(info.tokenizer)
    how: dict[str, Any] = {
        "end_ids": info.end_ids,
        "sampling": Sampling(**settings.sampling.model_dump()),
        "guardrails": Guardrails(**settings.guardrails.model_dump(exclude={"preset"})),
        "window": settings.window,
    }
    if settings.kind == "userlm":
        return UserLm(client, vocabulary, ChatFormat(vocabulary, info.chat_template), **how)
    return PromptedUser(client, vocabulary, FewShotFormat(vocabulary, user_examples()), **how)


def _is_listening(path: Path) -> bool:
    """Whether a running daemon's engine can be reached there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
