"""The adapters at the edges: database, assistants, channels."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

from monitor.assistants.budget import Allowance
from monitor.assistants.contract import Assistant
from monitor.assistants.limits import KillSwitch, LimitedAssistant, Limits
from monitor.assistants.openai_chat import OpenAiChatAssistant
from monitor.config import Config
from monitor.http import HttpClient
from monitor.notify.contract import Notifier
from monitor.notify.pagerduty import PagerDuty
from monitor.notify.slack_bot import SlackBot
from monitor.notify.slack_webhook import SlackWebhook
from monitor.redact import CONFIGURED_PREFIX, Redactor
from monitor.scorers.state import StateSource
from monitor.store import Store, migrate


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def redactor(config: Config) -> Redactor:
    """Replaces the configuration's secrets and patterns."""
    secrets = {f"{CONFIGURED_PREFIX}{number}": secret.reveal() for number, secret in enumerate(config.secrets, 1)}
    return Redactor(config.settings.redact.patterns, secrets)


def state_sources(config: Config) -> dict[str, StateSource]:
    """The systems that tell what the assistant brought about."""
    return {
        name: StateSource(
            url=source.url,
            token=source.token.reveal() if source.token else None,
            timeout_seconds=source.timeout_seconds,
        )
        for name, source in config.settings.state_sources.items()
    }


def open_store(config: Config) -> Store:
    """The database of the configuration, made or brought up to this version first. Raises StoreFailure."""
    migrate.upgrade(config.store_url.reveal())
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


def channel_names(config: Config) -> list[str]:
    """The channels of the configuration, before they are opened."""
    notify = config.settings.notify
    return [name for name, is_on in (("slack", notify.slack), ("pagerduty", notify.pagerduty)) if is_on]


def owner_name() -> str:
    """Who this process is, for leases: host, pid, and something that a restart changes."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
