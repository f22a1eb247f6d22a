"""Section `notify`: channels by name, routes, and what is refused or warned of."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.config import describe
from monitor.config.routes import alert_policy
from monitor.machine import Escalation
from monitor.verdict import Severity
from tests.config.samples import CONFIG, INTENTS, loaded, problems

ENV = {"KEY": "0123456789", "HOOK": "https://hooks.example/secret", "SECRET": "whsec"}
CHANNELS = """\
notify:
  pagerduty: {routing_key_env: KEY}
  channels:
    team: {kind: slack, webhook_url_env: HOOK}
    boss: {kind: webhook, url: "https://boss.example/hook", secret_env: SECRET}
"""
ROUTES = """\
  routes:
    - match: {severities: [critical], scopes: ["baseline/*"]}
      channels: [pagerduty, team]
      escalate: [{after: 30m, channels: [boss]}]
    - match: {tags: [billing]}
      channels: [team]
"""


def warned(folder: Path, notify: str) -> list[str]:
    return [w for w in loaded(folder, CONFIG + notify, env=ENV).warnings if w.startswith("notify")]


def test_channels_are_known_by_name(tmp_path: Path) -> None:
    config = loaded(tmp_path, CONFIG + CHANNELS, env=ENV)
    assert list(config.settings.notify.by_name) == ["pagerduty", "team", "boss"]
    assert {secret.reveal() for secret in config.secrets} == set(ENV.values())


def test_routes_make_the_policy_of_a_scope(tmp_path: Path) -> None:
    tagged = INTENTS.replace("    script:", "    tags: [billing]\n    script:")
    config = loaded(tmp_path, CONFIG + CHANNELS + ROUTES, tagged, env=ENV)
    notify, suite = config.settings.notify, config.suites["baseline"]
    intent = alert_policy(notify, suite, "baseline/returns")
    assert intent.channels(Severity.CRITICAL) == ("pagerduty", "team")
    assert intent.channels(Severity.WARNING) == ("team",)
    assert alert_policy(notify, suite, "baseline/overall").channels(Severity.WARNING) == ()
    assert intent.escalations == (
        Escalation(after=timedelta(minutes=30), channels=("boss",), severities=(Severity.CRITICAL,)),
    )


def test_without_routes_everybody_is_told_of_everything(tmp_path: Path) -> None:
    config = loaded(tmp_path, CONFIG + CHANNELS, env=ENV)
    policy = alert_policy(config.settings.notify, config.suites["baseline"], "baseline/overall")
    assert policy.channels(Severity.INFO) == ("pagerduty", "team", "boss")
    assert not [warning for warning in config.warnings if warning.startswith("notify")]


@pytest.mark.parametrize(
    ("notify", "problem"),
    [
        (
            "  routes: [{channels: [nobody]}]\n",
            "notify.routes[0].channels: no channel is called nobody; known: pagerduty",
        ),
        (
            "  routes: [{channels: [team], escalate: [{after: 5m, channels: [nobody]}]}]\n",
            "notify.routes[0].escalate[0].channels: no channel is called nobody",
        ),
        ("  routes: [{channels: [], escalate: [{after: 5m, channels: [boss]}]}]\n", "routes[0].escalate: counts from"),
        ("  routes: [{match: {severities: [page]}, channels: []}]\n", "severities[0]: is none of the words allowed"),
        ("  routes: [{match: {scopes: ['A/*']}, channels: []}]\n", "scopes[0]: has a form that is not allowed"),
        ("  routes: [{match: {}}]\n", "notify.routes[0].channels: is required"),
        ("    slack: {kind: slack, webhook_url_env: HOOK}\n", "channels.slack: is the name of notify.slack"),
        ("    x: {webhook_url_env: HOOK}\n", "notify.channels.x.kind: is required"),
        ("    x: {kind: pager}\n", "notify.channels.x: is none of the kinds there are"),
        ("    x: {kind: webhook, secret_env: SECRET}\n", "notify.channels.x: name the address once"),
        ("    x: {kind: webhook, url: 'https://a.example'}\n", "notify.channels.x: name the secret once"),
        ("    x: {kind: webhook, url_env: KEY, secret_env: SECRET}\n", "notify.channels.x.url_env: not a URL"),
        ("    x: {kind: apprise}\n", "notify.channels.x: name the address once"),
        ("    x: {kind: alertmanager}\n", "notify.channels.x.url: is required"),
        (
            "    x: {kind: alertmanager, url: 'https://a.example', labels: {scope: s}}\n",
            "notify.channels.x.labels.scope: is set by the monitor itself",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, notify: str, problem: str) -> None:
    (line,) = problems(tmp_path, CONFIG + CHANNELS + notify, env=ENV)
    assert problem in line
    assert line.startswith("monitor.yaml:")


@pytest.mark.parametrize(
    ("routes", "warnings"),
    [
        ("{channels: [pagerduty, team, boss]}", []),
        (
            "{channels: [pagerduty, team, boss]}, {match: {severities: [info]}, channels: [boss]}",
            ["notify.routes[1]: is never reached, since the routes before it take all of its incidents"],
        ),
        (
            "{match: {severities: [critical, error]}, channels: [pagerduty, boss]}, {channels: [], continue: true}",
            [
                "notify.routes: nobody is told of warning of baseline/overall, baseline/returns, monitor/canaries "
                "and 7 more",
                "notify.routes: nobody is told of info of baseline/overall, baseline/returns",
                "notify: no route names the channel team, so nothing is told there",
            ],
        ),
    ],
)
def test_what_is_probably_not_meant_is_warned_of(tmp_path: Path, routes: str, warnings: list[str]) -> None:
    assert warned(tmp_path, f"{CHANNELS}  routes: [{routes}]\n") == warnings


def test_a_configuration_with_apprise_says_when_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)  # as if it were not installed
    (line,) = problems(tmp_path, f"{CONFIG}notify: {{apprise: {{url_env: KEY}}}}\n", env=ENV)
    assert line == "monitor.yaml:6: notify.apprise: Apprise is not installed; install assistant-monitor[apprise]"


def test_channels_and_routes_are_described_without_their_secrets(tmp_path: Path) -> None:
    config = loaded(tmp_path, CONFIG + CHANNELS + ROUTES, env=ENV)
    shown = describe(config, datetime(2026, 1, 1, tzinfo=UTC))
    assert (
        "tells      PagerDuty (environment variable KEY), team: Slack webhook (environment variable HOOK), boss: "
        in shown
    )
    assert "route      critical of baseline/*: pagerduty, team; after 30m boss\n" in shown
    assert "route      everything tagged billing: team\n" in shown
    assert not any(secret in shown for secret in ENV.values())
