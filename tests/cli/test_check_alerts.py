"""`check` with and without `--alert`: who is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from monitor.check import Trigger
from monitor.demo.receivers import SLACK, Answer, Receivers
from monitor.incident import NotificationStatus
from monitor.store import Store
from tests.cli.commands import ANSWER, Run, notify, write_config
from tests.fixtures.assistants import ScriptedAssistant, ServeAssistant, says


@pytest.fixture
async def assistant(serve_assistant: ServeAssistant) -> ScriptedAssistant:
    return await serve_assistant(lambda _: says("That costs ten euros."))


@pytest.fixture
def config(tmp_path: Path, assistant: ScriptedAssistant, receivers: Receivers) -> Path:
    return write_config(
        tmp_path, assistant.url, notify=notify(tmp_path, receivers), alerting={"rule": "mean", "recovery_checks": 1}
    )


def told(receivers: Receivers) -> list[tuple[str, str]]:
    return sorted((delivery["channel"], delivery["kind"]) for delivery in receivers.deliveries())


async def test_without_the_option_nobody_is_told(config: Path, receivers: Receivers, run: Run, tmp_path: Path) -> None:
    assert (await asyncio.to_thread(run, "check", "--config", config)).code == 1
    store = Store.open(f"sqlite:///{tmp_path}/state/monitor.sqlite3")
    assert (len(store.checks()), store.incidents(), store.notifications()) == (1, [], [])
    store.close()
    assert receivers.received == []


async def test_with_it_an_incident_opens_and_is_delivered(
    config: Path, receivers: Receivers, run: Run, tmp_path: Path
) -> None:
    assert (await asyncio.to_thread(run, "check", "--alert", "--config", config)).code == 1
    store = Store.open(f"sqlite:///{tmp_path}/state/monitor.sqlite3")
    assert [check.trigger for check in store.checks()] == [Trigger.ALERTING]
    assert [incident.closed_at for incident in store.incidents()] == [None]
    assert {sent.status for sent in store.notifications()} == {NotificationStatus.SENT}
    store.close()
    assert told(receivers) == [("pagerduty", "open"), ("slack", "open")]


async def test_a_later_check_ends_the_incident(
    config: Path, assistant: ScriptedAssistant, receivers: Receivers, run: Run
) -> None:
    await asyncio.to_thread(run, "check", "--alert", "--config", config)
    assistant.answer = lambda _: says(ANSWER)
    assert (await asyncio.to_thread(run, "check", "--alert", "--config", config)).code == 0
    assert told(receivers) == [(channel, kind) for channel in ("pagerduty", "slack") for kind in ("open", "resolve")]
    assert {delivery["dedup_key"] for delivery in receivers.deliveries()} == {"assistant-monitor:test:shop/overall"}


async def test_a_refused_message_changes_no_exit_code(config: Path, receivers: Receivers, run: Run) -> None:
    receivers.always_answer(SLACK, Answer(status=200, body={"ok": False, "error": "channel_not_found"}))
    assert (await asyncio.to_thread(run, "check", "--alert", "--config", config)).code == 1
    assert ("pagerduty", "open") in told(receivers)
