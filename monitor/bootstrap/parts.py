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
from monitor.config import Config, Secret
from monitor.config.notify import (
    AlertmanagerSettings,
    AppriseSettings,
    ChannelSettings,
    PagerDutySettings,
    SlackSettings,
    WebhookSettings,
)
from monitor.http import HttpClient
from monitor.notify.alertmanager import Alertmanager
from monitor.notify.apprise import AppriseChannel
from monitor.notify.contract import Notifier
from monitor.notify.pagerduty import PagerDuty
from monitor.notify.slack_bot import SlackBot
from monitor.notify.slack_webhook import SlackWebhook
from monitor.notify.webhook import Webhook
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
    async with AsyncExitStack() as stack:
        http = HttpClient()
        stack.push_async_callback(http.aclose)
        yield {name: _notifier(name, channel, http) for name, channel in config.settings.notify.by_name.items()}


def _notifier(name: str, channel: ChannelSettings, http: HttpClient) -> Notifier:
    """The adapter of one channel. Raises ConfigError for an address that Apprise does not know."""
    match channel:
        case SlackSettings(token=Secret() as token):
            return SlackBot(
                token=token.reveal(), destination=channel.channel or "", channel=name, base_url=channel.base_url
            )
        case SlackSettings():
            assert channel.webhook_url is not None, "validated"
            return SlackWebhook(url=channel.webhook_url.reveal(), channel=name)
        case PagerDutySettings():
            return PagerDuty(http, routing_key=channel.routing_key.reveal(), channel=name, url=channel.url)
        case WebhookSettings():
            return Webhook(http, url=channel.address.reveal(), secret=channel.secret.reveal(), channel=name)
        case AlertmanagerSettings():
            bearer = channel.token.reveal() if channel.token else None
            return Alertmanager(http, url=channel.url, token=bearer, labels=channel.labels, channel=name)
        case AppriseSettings():
            return AppriseChannel(url=channel.url.reveal(), channel=name)


def channel_names(config: Config) -> list[str]:
    """The channels of the configuration, before they are opened."""
    return list(config.settings.notify.by_name)


def owner_name() -> str:
    """Who this process is, for leases: host, pid, and something that a restart changes."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
