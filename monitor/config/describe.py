"""A configuration told to people: what is in force, what will run when, and what opens an incident. No secrets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from monitor.config.assistants import AssistantSettings
from monitor.config.durations import format_duration
from monitor.config.judge import JudgeSettings
from monitor.config.load import Config
from monitor.config.maintenance import over
from monitor.config.notify import (
    AlertmanagerSettings,
    AppriseSettings,
    ChannelSettings,
    NotifySettings,
    PagerDutySettings,
    RouteSettings,
    SlackSettings,
    WebhookSettings,
)
from monitor.config.rules import rules_policy
from monitor.config.secrets import Secret
from monitor.config.settings import Settings
from monitor.intent import Suite
from monitor.maintenance import Maintenance, Once
from monitor.rules.detectable import failures_to_tell, quality_margin, regression_drop
from monitor.rules.mean import MeanPolicy
from monitor.schedule import Every, Schedule, upcoming

SHOWN_RUNS = 3


def summarize(config: Config, now: datetime) -> dict[str, Any]:
    """The same as `describe`, for machines: JSON values only, secrets masked."""
    return {
        "path": str(config.path),
        "content_hash": config.content_hash,
        "settings": config.settings.model_dump(mode="json", exclude_none=True),
        "suites": {name: _suite(config, suite, now) for name, suite in config.suites.items()},
        "warnings": [*config.warnings, *over(config.maintenance, now)],
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
        counts = (
            f"{facts['conversations']} conversations ({facts['intents']} x {_rounds(suite)}) with {suite.assistant}"
        )
        yield f"suite      {name}: {counts}, threshold {suite.threshold:.2f}, {facts['schedule']}"
        for rule in _rules(config, suite):
            yield f"           {rule}"
        if facts["next_runs"]:
            yield f"           next {', '.join(facts['next_runs'])}"
    yield f"score      {', '.join(f'{name} {weight:g}' for name, weight in settings.scoring.weights.items())}"
    yield f"judge      {', '.join(_judge(settings.judge))}"
    for name, source in settings.state_sources.items():
        yield f"state      {name}: {_endpoint(source.url)}, {_secret(source.token)}"
    yield f"tells      {', '.join(_channels(settings.notify)) or 'nobody'}"
    if settings.notify.dead_man:
        yield f"pings      a dead man's switch ({settings.notify.dead_man.address.source}) after each check"
    for route in settings.notify.routes:
        yield f"route      {_route(route)}"
    for window in config.maintenance:
        yield f"quiet      {window.name}: {_maintenance(window, now)}"
    for warning in (*config.warnings, *over(config.maintenance, now)):
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
        "most_rounds": suite.most_rounds or suite.rounds,
        "conversations": len(suite.intents) * suite.rounds,
        "threshold": suite.threshold,
        "rules": list(_rules(config, suite)),
        "schedule": _schedule(schedule),
        "next_runs": [run.isoformat(timespec="seconds") for run in runs],
    }


def _rounds(suite: Suite) -> str:
    most = suite.most_rounds or suite.rounds
    return f"{suite.rounds} to {most}, as many as it takes" if most > suite.rounds else str(suite.rounds)


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


def _rules(config: Config, suite: Suite) -> Iterator[str]:
    """What the rules of a suite find, and from when on."""
    rules = rules_policy(config.settings, suite.name)
    weights, most = [intent.weight for intent in suite.intents], rules.rounds.most
    if rules.mean:
        yield _mean(rules.mean)
    if rules.quality:
        margin = quality_margin(weights, most, rules.quality, rules.baseline.least_spread)
        yield (
            f"quality, from the first check on: the average is below {rules.quality.threshold:.2f} by more than chance "
            f"(at most {margin:.2f} in {most} rounds), or all day; over after {rules.quality.recovery_checks} in a row "
            f"above {rules.quality.threshold + rules.quality.recovery_margin:.2f}"
        )
    armed = f"from check {rules.baseline.armed} on, fully from {rules.baseline.full}"
    if rules.regression:
        spread = rules.baseline.least_spread
        falls = [regression_drop(weights, most, rules.regression, checks, spread) for checks in (1, 6)]
        found = [f"one of {fall:.2f} in {checks}" for fall, checks in zip(falls, ("one check", "six"), strict=True)]
        yield f"regression, {armed}: the average fell from its baseline; finds {' and '.join(found)}"
    if rules.intent:
        runs = [failures_to_tell(share, rules.intent) for share in (1.0, 0.5)]
        yield (
            f"intent, {armed}: one passes half as often, or not at all; told after {runs[0]} failures in a row "
            f"of one that always passed, {runs[1]} of one that passed half the time"
        )
    if rules.availability:
        yield (
            f"availability, from the first check on: surely more than {rules.availability.share:.0%} of conversations "
            "fail through the assistant, or half of the first round"
        )
    yield f"a check with less than {rules.valid_share:.0%} valid conversations says nothing else"


def _mean(rule: MeanPolicy) -> str:
    window = rule.window_checks
    opens = "1 check" if window == 1 else f"{rule.failing_checks} of the last {window} checks"
    return (
        f"mean, from the first check on: {rule.severity.value} when the average of {opens} is below the threshold, "
        f"over after {rule.recovery_checks} in a row at it or above"
    )


def _maintenance(window: Maintenance, now: datetime) -> str:
    """What is kept quiet, when, and the next times."""
    when, about = window.when, ", ".join(window.scopes)
    if isinstance(when, Once):
        return f"{about} from {when.starts_at:%Y-%m-%d %H:%M} to {when.ends_at:%Y-%m-%d %H:%M} UTC"
    held = window.holding(now)
    holds = f", holds until {held.ends_at.isoformat(timespec='minutes')}" if held else ""
    starts = [w.starts_at.isoformat(timespec="minutes") for w in window.upcoming(now, SHOWN_RUNS)]
    lasting = format_duration(when.lasting.total_seconds())
    return f"{about}, {_schedule(when.cron)} for {lasting}{holds}, next {', '.join(starts)}"


def _channels(notify: NotifySettings) -> Iterator[str]:
    for name, channel in notify.by_name.items():
        by_name = f"{name}: " if name in notify.channels else ""
        yield f"{by_name}{_channel(channel)}"


def _channel(channel: ChannelSettings) -> str:
    match channel:
        case SlackSettings():
            secret = channel.token or channel.webhook_url
            assert secret is not None, "validated"
            return f"Slack {channel.channel or 'webhook'} ({secret.source})"
        case PagerDutySettings():
            return f"PagerDuty ({channel.routing_key.source})"
        case WebhookSettings():
            return f"webhook ({channel.address.source})"
        case AlertmanagerSettings():
            return f"Alertmanager {channel.url}"
        case AppriseSettings():
            return f"Apprise ({channel.url.source})"


def _route(route: RouteSettings) -> str:
    which = [", ".join(route.match.severities) or "everything"]
    which += [f"of {', '.join(route.match.scopes)}"] if route.match.scopes else []
    which += [f"tagged {', '.join(route.match.tags)}"] if route.match.tags else []
    steps = [f"; after {format_duration(s.after_seconds)} {', '.join(s.channels)}" for s in route.escalate]
    return f"{' '.join(which)}: {', '.join(route.channels) or 'nobody'}{''.join(steps)}" + (
        "; and on" if route.goes_on else ""
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
