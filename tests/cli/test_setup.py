"""`test-alert` and `db`: the commands of whoever sets the monitor up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from monitor.bootstrap.parts import open_notifiers
from monitor.cli.context import read_config
from monitor.cli.setup import try_channel
from monitor.demo.receivers import APPRISE, PAGERDUTY, SLACK, WEBHOOK, Answer, Receivers
from tests.cli.commands import Run, every_channel, notify, write_config

REFUSED = {
    SLACK: Answer(body={"ok": False, "error": "channel_not_found"}),
    PAGERDUTY: Answer(status=400, body={"message": "no such [/] key \x1b[2J"}),
}


def test_a_test_incident_opens_and_ends_on_both_channels(tmp_path: Path, run: Run, receivers: Receivers) -> None:
    done = run("test-alert", "--config", write_config(tmp_path, notify=notify(tmp_path, receivers)))
    lines = [f"{channel} {kind}: delivered" for channel in (SLACK, PAGERDUTY) for kind in ("open", "resolve")]
    assert (done.code, done.err, done.out.splitlines()) == (0, "", lines)
    told = receivers.deliveries()
    assert [(delivery["channel"], delivery["kind"]) for delivery in told] == [
        (channel, kind) for channel in (SLACK, PAGERDUTY) for kind in ("open", "resolve")
    ]
    assert all(delivery["dedup_key"].startswith("assistant-monitor:test:test:") for delivery in told)


@pytest.mark.parametrize(
    ("refusing", "other", "why"),
    [(SLACK, PAGERDUTY, "channel_not_found"), (PAGERDUTY, SLACK, "no such [/] key")],
)
def test_a_channel_that_refuses_is_named_and_the_other_is_told(
    refusing: str, other: str, why: str, tmp_path: Path, run: Run, receivers: Receivers
) -> None:
    receivers.always_answer(refusing, REFUSED[refusing])
    done = run("test-alert", "--config", write_config(tmp_path, notify=notify(tmp_path, receivers)))
    assert done.code == 4
    assert done.out.splitlines() == [f"{other} open: delivered", f"{other} resolve: delivered"]
    assert done.err.startswith(f"{refusing} open: not delivered: ")
    assert why in done.err
    assert done.err.count("\n") == 1
    assert "\x1b" not in done.err


def test_only_the_named_channels_are_tried(tmp_path: Path, run: Run, receivers: Receivers) -> None:
    path = write_config(tmp_path, notify=every_channel(tmp_path, receivers))
    done = run("test-alert", "hook", "mail", "hook", "--config", path)
    lines = [f"{channel} {kind}: delivered" for channel in ("hook", "mail") for kind in ("open", "resolve")]
    assert (done.code, done.err, done.out.splitlines()) == (0, "", lines)
    assert [received.channel for received in receivers.received] == [WEBHOOK, WEBHOOK, APPRISE, APPRISE]


def test_every_kind_of_channel_takes_both(tmp_path: Path, run: Run, receivers: Receivers) -> None:
    done = run("test-alert", "--config", write_config(tmp_path, notify=every_channel(tmp_path, receivers)))
    names = ("slack", "pagerduty", "alertmanager", "hook", "mail")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [f"{name} {kind}: delivered" for name in names for kind in ("open", "resolve")]


def test_a_channel_that_there_is_not_is_refused(tmp_path: Path, run: Run, receivers: Receivers) -> None:
    done = run("test-alert", "nobody", "--config", write_config(tmp_path, notify=notify(tmp_path, receivers)))
    assert (done.code, done.out) == (2, "")
    assert "no channel is called nobody; known: slack, pagerduty" in done.err
    assert receivers.received == []


def test_a_channel_that_is_away_is_told(tmp_path: Path, run: Run, receivers: Receivers) -> None:
    receivers.always_answer(SLACK, Answer(closes=True))
    done = run("test-alert", "--config", write_config(tmp_path, notify=notify(tmp_path, receivers)))
    assert done.code == 4
    assert done.err.startswith("slack open: not delivered: no usable answer")


def test_what_was_opened_is_resolved_though_the_answer_was_lost(tmp_path: Path, run: Run, receivers: Receivers) -> None:
    receivers.answer(PAGERDUTY, Answer(closes=True, is_accepted=True))
    done = run("test-alert", "pagerduty", "--config", write_config(tmp_path, notify=notify(tmp_path, receivers)))
    assert (done.code, done.out) == (4, "pagerduty resolve: delivered\n")
    opened, ended = receivers.deliveries()
    assert (opened["kind"], ended["kind"]) == ("open", "resolve")
    assert opened["dedup_key"] == ended["dedup_key"]


async def test_who_is_interrupted_leaves_no_test_incident_open(tmp_path: Path, receivers: Receivers) -> None:
    receivers.answer(PAGERDUTY, Answer(hangs=True, is_accepted=True))
    config = read_config(write_config(tmp_path, notify=notify(tmp_path, receivers)))
    async with open_notifiers(config) as channels:
        trying = asyncio.create_task(try_channel(config, channels[PAGERDUTY]))
        await asyncio.to_thread(receivers.wait_until, bool, 10.0)
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying
    assert [delivery["kind"] for delivery in receivers.deliveries()] == ["open", "resolve"]


def test_without_a_channel_there_is_nobody_to_tell(tmp_path: Path, run: Run) -> None:
    done = run("test-alert", "--config", write_config(tmp_path))
    assert (done.code, done.out) == (2, "")
    assert "no channel is configured; add slack or pagerduty" in done.err


def test_a_database_is_made_and_its_schema_told(tmp_path: Path, run: Run) -> None:
    path = write_config(tmp_path)
    before, made, after = (run("db", command, "--config", path) for command in ("status", "upgrade", "status"))
    head = made.out.removeprefix("the schema is ").strip()
    assert (before.code, before.out) == (4, f"database empty, this version {head}\n")
    assert (made.code, after.code) == (0, 0)
    assert after.out == f"database {head}, this version {head}\n"


def test_looking_makes_no_database(tmp_path: Path, run: Run) -> None:
    done = run("db", "status", "--json", "--config", write_config(tmp_path))
    report = done.json()
    assert (done.code, report["current"], report["is_current"]) == (4, None, False)
    assert not (tmp_path / "state").exists()


def test_upgrading_again_changes_nothing(tmp_path: Path, run: Run) -> None:
    path = write_config(tmp_path)
    assert run("db", "upgrade", "--config", path) == run("db", "upgrade", "--config", path)
    report = run("db", "status", "--json", "--config", path).json()
    assert report["is_current"]
    assert report["current"] == report["head"]


@pytest.mark.parametrize("command", ["status", "upgrade"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(command: str, tmp_path: Path, run: Run) -> None:
    path = write_config(tmp_path)
    database = tmp_path / "state" / "monitor.sqlite3"
    database.parent.mkdir()
    database.write_text("no database " * 100)
    done = run("db", command, "--config", path)
    assert (done.code, done.out) == (4, "")
    assert database.read_text() == "no database " * 100
