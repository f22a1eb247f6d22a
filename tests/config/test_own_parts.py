"""What the monitor watches of itself, and whom it pings, under a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config.describe import describe
from monitor.config.own_parts import own_parts
from monitor.config.routes import every_scope
from monitor.rules.monitor import Part
from tests.config.samples import CONFIG, loaded, problems
from tests.parties import T0

PING = "https://ping.example/3fd1c0de"


def test_a_suite_cannot_have_the_name_of_the_monitors_own_alerts(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, CONFIG.replace("baseline:", "monitor:"))
    assert problem.startswith("monitor.yaml:5: suites.monitor: alerts about the monitor itself are told as monitor/...")


def test_only_parts_that_are_there_are_watched(tmp_path: Path) -> None:
    always = {Part.DELIVERY, Part.STORAGE, Part.CLOCK, Part.CONFIGURATION}
    assert own_parts(loaded(tmp_path).settings) == always | {Part.CANARIES}
    assert own_parts(loaded(tmp_path, CONFIG + "canaries: {enabled: false}\n").settings) == always


def test_routes_know_the_scopes_of_the_monitor(tmp_path: Path) -> None:
    route = "{match: {scopes: ['monitor/*', monitor/checks.baseline]}, channels: [pagerduty]}"
    config = loaded(
        tmp_path,
        f"{CONFIG}notify: {{pagerduty: {{routing_key_env: KEY}}, routes: [{route}]}}\n",
        env={"KEY": "k" * 32},
    )
    assert {"monitor/clock", "monitor/checks.baseline"} <= every_scope(config.suites).keys()
    assert [w for w in config.warnings if "nobody is told" in w and "monitor/" in w] == []


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("{}", "monitor.yaml:6: notify.dead_man: name the address once"),
        (f"{{url: '{PING}', url_env: PING}}", "monitor.yaml:6: notify.dead_man: name the address once"),
        ("{url: 'http://ping.example/x'}", "monitor.yaml:6: notify.dead_man.url: would be sent in the clear"),
        ("{url_env: OPEN}", "monitor.yaml:6: notify.dead_man.url_env: "),
        (f"{{url: '{PING}', timeout: 2m}}", "monitor.yaml:6: notify.dead_man.timeout: must be 60.0 or less"),
    ],
)
def test_a_dead_mans_switch_that_cannot_be_pinged_is_refused(tmp_path: Path, section: str, problem: str) -> None:
    env = {"PING": PING, "OPEN": "http://ping.example/3fd1c0de"}
    (found,) = problems(tmp_path, f"{CONFIG}notify: {{dead_man: {section}}}\n", env=env)
    assert found.startswith(problem)
    assert "3fd1c0de" not in found


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/x", "http://localhost/x", "http://[::1]/x", PING])
def test_a_ping_goes_out_encrypted_or_stays_on_the_machine(tmp_path: Path, url: str) -> None:
    found = loaded(tmp_path, f"{CONFIG}notify: {{dead_man: {{url: '{url}'}}}}\n").settings.notify.dead_man
    assert found is not None
    assert (found.address.reveal(), found.timeout_seconds) == (url, 10.0)


def test_a_secret_address_is_described_by_where_it_comes_from(tmp_path: Path) -> None:
    config = loaded(tmp_path, f"{CONFIG}notify: {{dead_man: {{url_env: PING}}}}\n", env={"PING": PING})
    said = describe(config, T0)
    assert "PING) after each check" in said
    assert "3fd1c0de" not in said
    assert PING in {secret.reveal() for secret in config.secrets}
