"""A configuration told to people: what is in force, what will run when, and what opens an incident. No secrets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from monitor.config.assistants import AssistantSettings
from monitor.config.durations import format_duration
from monitor.config.judge import JudgeSettings
from monitor.config.load import Config
from monitor.config.secrets import Secret
from monitor.config.settings import Settings
from monitor.intent import Suite
from monitor.schedule import Every, Schedule, upcoming

SHOWN_RUNS = 3


def summarize(config: Config, now: datetime) -> dict[str, Any]:
    """The same as `describe`, for machines: JSON values only, secrets masked."""
    return {
        "path": str(config.path),
        "content_hash": config.content_hash,
        "settings": config.settings.model_dump(mode="json", exclude_none=True),
        "suites": {name: _suite(config, suite, now) for name, suite in config.suites.items()},
        "rule": _rule(config.settings),
        "warnings": list(config.warnings),
    }


def describe(config: Config, now: datetime) -> str:
    """A page of text for `validate`."""
    return "\n".join(_lines(config, now))


def _lines(config: Config, now: datetime) -> Iterator[str]:
    settings = config.settings
    yield f"{config.path} is valid (content {config.content_hash[:12]})"
    yield f"{settings.app} in {settings.environment}, state in {settings.state_dir}"
    yield f"users      {_users(settings)}"
    yield f"database   {_database(config)}, conversations kept for {settings.store.retention_days} days"
    yield f"listens    metrics on {settings.server.metrics or 'nothing'}, pages on {settings.server.pages or 'nothing'}"
    for name, assistant in settings.assistants.items():
        yield f"assistant  {name}: {assistant.url}, {', '.join(_limits(assistant))}"
    for name, suite in config.suites.items():
        facts = _suite(config, suite, now)
        counts = f"{facts['conversations']} conversations ({facts['intents']} x {suite.rounds}) with {suite.assistant}"
        yield f"suite      {name}: {counts}, threshold {suite.threshold:.2f}, {facts['schedule']}"
        if facts["next_runs"]:
            yield f"           next {', '.join(facts['next_runs'])}"
    yield f"score      {', '.join(f'{name} {weight:g}' for name, weight in settings.scoring.weights.items())}"
    yield f"judge      {', '.join(_judge(settings.judge))}"
    for name, source in settings.state_sources.items():
        yield f"state      {name}: {_endpoint(source.url)}, {_secret(source.token)}"
    yield f"rule       {_rule(settings)}"
    yield f"tells      {', '.join(_channels(settings)) or 'nobody'}"
    for warning in config.warnings:
        yield f"warning    {warning}"


def _database(config: Config) -> str:
    store = config.settings.store
    secret = store.url_file or store.url_env
    return f"by {secret.source}" if secret else config.store_url.reveal()


def _limits(assistant: AssistantSettings) -> Iterator[str]:
    yield f"{assistant.concurrency} conversations at once"
    if assistant.requests_per_second is not None:
        yield f"{assistant.requests_per_second:g} requests per second"
    budgets = assistant.budgets.model_dump(exclude_none=True)
    yield from (f"at most {amount} {name.replace('_', ' ')}" for name, amount in budgets.items())
    if assistant.kill_switch_file is not None:
        yield f"stopped while {assistant.kill_switch_file} exists"
    if not assistant.enabled:
        yield "disabled"


def _suite(config: Config, suite: Suite, now: datetime) -> dict[str, Any]:
    schedule = config.schedules[suite.name]
    runs = upcoming(schedule, now, SHOWN_RUNS) if schedule else []
    return {
        "assistant": suite.assistant,
        "intents": len(suite.intents),
        "rounds": suite.rounds,
        "conversations": len(suite.intents) * suite.rounds,
        "threshold": suite.threshold,
        "schedule": _schedule(schedule),
        "next_runs": [run.isoformat(timespec="seconds") for run in runs],
    }


def _schedule(schedule: Schedule | None) -> str:
    if schedule is None:
        return "only by command"
    if isinstance(schedule, Every):
        return f"every {format_duration(schedule.seconds)}"
    return f"cron {schedule.expression} ({schedule.timezone})"


def _users(settings: Settings) -> str:
    simulator = settings.simulator
    if simulator.kind == "scripted":
        return "scripted, no model"
    if simulator.servers:
        return f"{simulator.kind} on {', '.join(server.url for server in simulator.servers)}"
    assert simulator.model is not None, "validated"
    revision = f" at {simulator.model.revision[:12]}" if simulator.model.revision else ""
    return (
        f"{simulator.kind} by {simulator.model.name}{revision} on {simulator.model.device} in {simulator.model.dtype}"
    )


def _rule(settings: Settings) -> str:
    alerting = settings.alerting
    window = alerting.window_checks
    opens = "1 check" if window == 1 else f"{alerting.failing_checks} of the last {window} checks"
    return (
        f"{alerting.rule}, from the first check on: {alerting.severity} when the average of {opens} is below the "
        f"threshold, over after {alerting.recovery_checks} in a row at it or above; a check with less than "
        f"{alerting.valid_share:.0%} valid conversations says nothing"
    )


def _judge(judge: JudgeSettings | None) -> Iterator[str]:
    if judge is None:
        yield "none: questions for one are not asked, and what users invent is not measured"
        return
    yield f"{judge.model or 'the model served'} on {_endpoint(judge.url)}"
    yield f"mode {judge.mode}"
    yield _secret(judge.api_key)
    yield f"{judge.concurrency} requests at once"
    budgets = judge.budgets.model_dump(exclude_none=True)
    yield from (f"at most {amount} {name.replace('_', ' ')}" for name, amount in budgets.items())
    if not budgets:
        yield "no budget"


def _endpoint(url: str) -> str:
    """The address without its query, which may hold a key."""
    return url.partition("?")[0]


def _secret(secret: Secret | None) -> str:
    return f"key by {secret.source}" if secret else "no key"


def _channels(settings: Settings) -> Iterator[str]:
    if slack := settings.notify.slack:
        secret = slack.token or slack.webhook_url
        assert secret is not None, "validated"
        yield f"Slack {slack.channel or 'webhook'} ({secret.source})"
    if pagerduty := settings.notify.pagerduty:
        yield f"PagerDuty ({pagerduty.routing_key.source})"
