"""Who is told while the daemon cannot check yet: the database is away, or the user model loads or cannot be loaded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from monitor.bootstrap.application import open_application
from monitor.bootstrap.operations import open_operations
from monitor.bootstrap.parts import open_store, utc_now
from monitor.bootstrap.storage import SPOOL
from monitor.check import CheckStatus, Trigger
from monitor.config import Config, load
from monitor.errors import MonitorError
from monitor.keeping import Kept
from monitor.keeping.kept import to_bytes
from monitor.sdnotify import ServiceManager
from monitor.store import Closing, NotificationDraft, Spool
from monitor.verdict import Finding, Severity, Verdict
from tests.cli.commands import NOBODY, write_config
from tests.fixtures.assistants import ScriptedAssistant, ServeAssistant, responds
from tests.store.samples import a_check

ENV = {"HOOK": "secret-of-the-hook", "DATABASE": "postgresql+psycopg://nobody@127.0.0.1:9/nothing"}
SUITE = {"assistant": "scripted", "intents": "intents.yaml", "rounds": 1, "schedule": {"every": "4h"}}
BAD = Verdict(
    scope="shop/overall", rule="mean", finding=Finding.BREACH, severity=Severity.CRITICAL, reason="it got worse"
)


@dataclass
class Waiting:
    """A monitor whose user model is on a server that does not answer, and a webhook for its messages."""

    folder: Path
    hook: ScriptedAssistant

    def config(self, *, patience: str, **sections: Any) -> Config:
        channel = {"kind": "webhook", "url": self.hook.url, "secret_env": "HOOK"}
        users = {"kind": "userlm", "servers": [{"url": NOBODY}], "engine": {"startup_timeout": patience}}
        standard = {
            "suites": {"shop": SUITE},
            "server": {"metrics": None, "pages": None},
            "canaries": {"enabled": False},
            "simulator": users,
            "notify": {"channels": {"hook": channel}},
        }
        return load(write_config(self.folder, **{**standard, **sections}), ENV)

    def told(self) -> list[tuple[str, str]]:
        """The kind and the scope of each message."""
        bodies = [json.loads(request.body) for request in self.hook.received]
        return [(body["kind"], body["scope"]) for body in bodies]


@pytest.fixture
async def waiting(tmp_path: Path, serve_assistant: ServeAssistant) -> Waiting:
    return Waiting(tmp_path, await serve_assistant(lambda _: responds(body=b"{}")))


def breached(config: Config, *, ago: timedelta = timedelta()) -> None:
    """A process before put an open into the outbox and ended."""
    store = open_store(config)
    operations = replace(open_operations(config, store), now=lambda: utc_now() - ago)
    assert operations.judge([BAD]) == 1
    store.close()


def checked(config: Config, *, ago: timedelta) -> None:
    """A valid check ended then."""
    store, at = open_store(config), utc_now() - ago
    check = a_check(suite="shop", trigger=Trigger.ALERTING, started_at=at, slot_at=None)
    store.open_check(check, None)
    store.close_check(Closing(check=replace(check, status=CheckStatus.HEALTHY, finished_at=at)))
    store.close()


async def failing(config: Config) -> None:
    """A start that is given up."""
    with pytest.raises(MonitorError):
        async with open_application(config, ServiceManager({}), env=ENV):
            pass


async def until(config: Config, is_so: Callable[[], bool]) -> None:
    """A start that goes on until this is so, and then ends."""

    async def start() -> None:
        async with open_application(config, ServiceManager({}), env=ENV):
            raise AssertionError("nothing may be ready")

    starting = asyncio.create_task(start())
    try:
        async with asyncio.timeout(20):
            while not is_so():
                assert not starting.done()
                await asyncio.sleep(0.02)
    finally:
        starting.cancel()
        with suppress(asyncio.CancelledError):
            await starting


async def test_what_waits_in_the_outbox_is_sent_while_the_user_model_is_waited_for(waiting: Waiting) -> None:
    config = waiting.config(patience="10m")
    breached(config)
    await until(config, lambda: ("open", "shop/overall") in waiting.told())


async def test_an_open_incident_is_reminded_of_while_the_user_model_is_waited_for(waiting: Waiting) -> None:
    config = waiting.config(patience="10m")
    breached(config, ago=timedelta(hours=5))
    await until(config, lambda: ("reminder", "shop/overall") in waiting.told())


async def test_what_is_due_is_sent_before_a_start_is_given_up_and_so_is_that_there_is_no_user_model(
    waiting: Waiting,
) -> None:
    config = waiting.config(patience="100ms")
    breached(config)
    await failing(config)
    assert set(waiting.told()) == {("open", "shop/overall"), ("open", "monitor/engine")}
    await failing(config)
    assert len(waiting.told()) == 2


async def test_a_start_that_is_given_up_tells_that_nobody_has_watched_for_too_long(waiting: Waiting) -> None:
    config = waiting.config(patience="100ms")
    checked(config, ago=timedelta(days=2))
    await failing(config)
    assert ("open", "shop/overall") in waiting.told()


async def test_a_start_that_is_given_up_says_nothing_of_suites_that_were_checked_of_late(waiting: Waiting) -> None:
    config = waiting.config(patience="100ms")
    checked(config, ago=timedelta(minutes=1))
    await failing(config)
    assert waiting.told() == [("open", "monitor/engine")]


async def test_kept_opens_are_told_after_a_restart_while_the_database_is_away(waiting: Waiting) -> None:
    config = waiting.config(patience="10m", simulator={"kind": "scripted"}, store={"url_env": "DATABASE"})
    keep(config)
    await until(config, partial(bool, waiting.hook.received))
    assert waiting.told() == [("open", "shop/overall")]


def keep(config: Config) -> None:
    """A process before kept a check whose open nobody took."""
    beside = load(write_config(config.path.parent), ENV)
    breached(replace(beside, settings=beside.settings.model_copy(update={"notify": config.settings.notify})))
    store = open_store(beside)
    (row,) = store.notifications()
    store.close()
    draft = NotificationDraft(
        incident_id=row.incident_id,
        scope=row.scope,
        channel=row.channel,
        kind=row.kind,
        dedup_key=row.dedup_key,
        alert=row.alert,
        at=row.alert.at,
    )
    spool = Spool(config.settings.state_dir / SPOOL)
    spool.open()
    spool.add(to_bytes(Kept(check=a_check(suite="shop"), slot=None, heard=None, ended_at=utc_now(), told=(draft,))))
    spool.close()
