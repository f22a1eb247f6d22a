"""A running monitor that is given another configuration: what it hands on, what it closes, what it leaves alone."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from monitor.bootstrap.application import Application, open_application
from monitor.briefing import Surroundings
from monitor.check import CheckRecord, CheckStatus
from monitor.closing import Known, changes_of
from monitor.config import Config, load
from monitor.daemon import Daemon
from monitor.machine import AlertPolicy, NotificationKind, Phase
from monitor.sdnotify import ServiceManager
from monitor.verdict import Finding, Severity, Verdict
from tests.cli.commands import ANSWER, INTENTS, write_config
from tests.fixtures.assistants import ServeAssistant, says

SUITE = {"assistant": "scripted", "intents": "intents.yaml", "rounds": 1, "schedule": {"every": "4h"}}
BOTH = {"shop": SUITE, "store": SUITE}
OFF = {"metrics": None, "pages": None}
HOOK = {"channels": {"hook": {"kind": "webhook", "url": "http://127.0.0.1:9/hook", "secret_env": "HOOK"}}}
HOME = Surroundings(app="app", environment="test", base_url=None)
ENV = {"HOOK": "secret-of-the-hook"}


@dataclass
class Running:
    """An application, its daemon that is ticked by hand, and its configuration."""

    folder: Path
    url: str
    manager: socket.socket
    application: Application = field(init=False)
    daemon: Daemon = field(init=False)
    heard: list[Config] = field(default_factory=list)

    def write(self, **sections: Any) -> Path:
        standard: Mapping[str, Any] = {"suites": BOTH, "server": OFF, "canaries": {"enabled": False}}
        return write_config(self.folder, self.url, **{**standard, **sections})

    async def reload(self, **sections: Any) -> tuple[bool, bool]:
        self.write(**sections)
        result = await self.application.reload()
        return result.ok, result.changed

    async def tick(self) -> list[CheckRecord]:
        """Run what is due to its end; all checks so far."""
        await self.daemon.tick()
        await asyncio.gather(*self.daemon.running)
        return self.application.store.checks()

    def page(self) -> str:
        return self.application.metrics.render()[0].decode()


@pytest.fixture
async def running(tmp_path: Path, serve_assistant: ServeAssistant) -> AsyncIterator[Running]:
    server = await serve_assistant(lambda _: says(ANSWER))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(20)
        manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        running = Running(tmp_path, server.url, listening)
        config = load(running.write(), ENV)
        async with open_application(config, manager, env=ENV, on_config=running.heard.append) as application:
            running.application, running.daemon = application, application.daemon(manager)
            yield running


async def test_a_suite_that_stays_goes_on_from_its_last_slot_and_a_new_one_begins(running: Running) -> None:
    assert len(await running.tick()) == 2
    changed = {**SUITE, "rounds": 2}
    assert await running.reload(suites={"shop": changed, "other": SUITE}) == (True, True)
    assert [check.suite for check in await running.tick()][:-2] == ["other"]


async def test_a_reload_without_a_change_opens_nothing(running: Running) -> None:
    before = running.application.checks["shop"]
    assert await running.reload() == (True, False)
    assert running.application.checks["shop"] is before
    assert running.heard == []


async def test_an_assistant_that_stays_keeps_its_budget_and_another_is_made_anew(running: Running) -> None:
    before = running.application.checks["shop"].assistant
    await running.reload(alerting={"rule": "mean", "threshold": 0.6})
    assert running.application.checks["shop"].assistant is before
    await running.reload(assistants={"scripted": {"url": running.url, "turn_timeout": "6s"}})
    assert running.application.checks["shop"].assistant is not before


async def test_reloads_at_once_come_one_after_the_other(running: Running) -> None:
    running.write(alerting={"rule": "mean", "threshold": 0.6})
    results = await asyncio.gather(*(running.application.reload() for _ in range(3)))
    assert sorted(result.changed for result in results) == [False, False, True]
    assert running.application.checks["shop"].suite.threshold == 0.6


async def test_a_configuration_without_a_schedule_is_refused(running: Running) -> None:
    result = await running.reload(suites={"shop": {**SUITE, "schedule": None}})
    assert result == (False, False)
    assert [*running.application.checks] == ["shop", "store"]
    assert "assistant_monitor_config_reload_success 0.0" in running.page()


async def test_an_intent_that_is_gone_ends_its_incident_under_its_key_and_no_other(running: Running) -> None:
    store = running.application.store
    for scope in ("shop/how-long", "shop/what-cost"):
        verdict = Verdict(scope=scope, rule="intent", finding=Finding.BREACH, severity=Severity.WARNING, reason="fails")
        known = Known(state=store.alert_state(scope))
        policy = AlertPolicy.everywhere("hook")
        store.change_alerts(changes_of([verdict], known, policy, HOME, running.daemon.now()))
    (running.folder / "only.yaml").write_text(json.dumps({"intents": INTENTS["intents"][:1]}))
    rest = {**SUITE, "intents": "only.yaml", "rounds": 20}
    assert await running.reload(suites={"shop": rest}, alerting={}, notify=HOOK) == (True, True)
    phases = {state.scope: state.phase for state in store.alert_states()}
    assert phases == {"shop/how-long": Phase.FIRING, "shop/what-cost": Phase.RESOLVING}
    (end,) = (told for told in store.notifications() if told.kind is NotificationKind.RESOLVE)
    assert (end.scope, end.dedup_key) == ("shop/what-cost", "app:test:shop/what-cost")
    (closed,) = (incident for incident in store.incidents() if incident.closed_at)
    assert closed.close_reason == "closed: rule removed"


async def test_numbers_of_a_suite_that_is_gone_are_gone(running: Running) -> None:
    await running.tick()
    await running.application.publish()
    assert 'suite="store"' in running.page()
    await running.reload(suites={"shop": SUITE})
    await running.application.publish()
    assert 'suite="store"' not in running.page()
    assert 'suite="shop"' in running.page()


async def test_a_log_hides_the_secrets_of_before_and_after(running: Running) -> None:
    await running.reload(notify=HOOK)
    await running.reload()
    assert [[secret.reveal() for secret in config.secrets] for config in running.heard] == [[ENV["HOOK"]]] * 2


async def test_what_was_wanted_before_the_daemon_was_ready_is_read_then(running: Running) -> None:
    running.write(alerting={"rule": "mean", "threshold": 0.6})
    wanted = asyncio.Event()
    wanted.set()
    reading = asyncio.create_task(running.application.reload_whenever(wanted))
    async with asyncio.timeout(20):
        while not running.application.store.audit():  # noqa: ASYNC110  a database announces nothing
            await asyncio.sleep(0.01)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert running.application.checks["shop"].suite.threshold == 0.6
    assert [(one.actor, one.action) for one in running.application.store.audit()] == [
        ("SIGHUP", "configuration.reload")
    ]


async def test_the_service_manager_is_told_of_a_reload_and_of_its_end(running: Running) -> None:
    running.application.pulse.is_ready = True
    await running.reload(suites={"shop": SUITE})
    await running.reload(suites={})
    refused = "watching shop; the newest configuration was refused, the log says why"
    told = [running.manager.recv(4096).decode().splitlines() for _ in range(4)]
    assert [first for first, _ in told] == ["RELOADING=1", "READY=1"] * 2
    assert [told[1][1], told[3][1]] == ["STATUS=watching shop", f"STATUS={refused}"]


async def test_a_channel_that_cannot_be_made_leaves_everything_as_it_was(running: Running) -> None:
    before = running.application.checks
    channel = {"kind": "apprise", "url_env": "HOOK"}
    assert await running.reload(notify={"channels": {"pager": channel}}) == (False, False)
    assert running.application.checks is before
    assert running.heard[-1].content_hash == running.application.config.content_hash
    assert len(await running.tick()) == 2


async def test_what_was_watched_before_is_closed_once_its_check_has_ended(running: Running) -> None:
    client = running.application.checks["shop"].assistant
    await running.daemon.tick()
    await running.reload(assistants={"scripted": {"url": running.url, "turn_timeout": "6s"}})
    assert client not in [check.assistant for check in running.application.checks.values()]
    await asyncio.gather(*running.daemon.running)
    assert {check.status for check in running.application.store.checks()} == {CheckStatus.HEALTHY}
    async with asyncio.timeout(20):
        while running.application._left:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
