"""`incidents` and `silence`, on what a check that alerts has stored."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.audit import AuditEntry
from monitor.bootstrap.parts import utc_now
from monitor.cli.operating import stored
from monitor.demo.receivers import Receivers
from monitor.suppression import Silence
from tests.cli.commands import Run, notify, write_config
from tests.fixtures.assistants import ServeAssistant, says


@pytest.fixture
async def config(tmp_path: Path, run: Run, serve_assistant: ServeAssistant, receivers: Receivers) -> Path:
    """A monitor whose assistant is bad, so that one incident is open."""
    assistant = await serve_assistant(lambda _: says("That costs ten euros."))
    path = write_config(tmp_path, assistant.url, notify=notify(tmp_path, receivers))
    done = await asyncio.to_thread(run, "check", "--alert", "--config", path)
    assert done.code == 1, done.err
    return path


def open_incident(run: Run, config: Path) -> str:
    (incident,) = run("incidents", "list", "--json", "--config", config).json()["incidents"]
    found: str = incident["id"]
    return found


def silenced(config: Path, id_: str) -> None:
    """A silence of this id."""
    now = utc_now()
    made = Silence(
        id=id_, scope_pattern="*", created_by="ops", reason="", starts_at=now, ends_at=now + timedelta(hours=1)
    )
    with stored(config) as store:
        store.add_silence(made, AuditEntry(at=now, actor="ops", action="silence.add", subject=id_, detail=""))


def test_an_open_incident_is_listed_and_shown_with_what_was_told(config: Path, run: Run) -> None:
    assert "shop/overall" in run("incidents", "list", "--config", config).out
    shown = run("incidents", "show", open_incident(run, config), "--json", "--config", config).json()
    assert (shown["scope"], shown["rule"], shown["closed_at"]) == ("shop/overall", "mean", None)
    assert {(n["channel"], n["kind"]) for n in shown["notifications"]} == {("slack", "open"), ("pagerduty", "open")}


def test_an_incident_is_taken(config: Path, run: Run) -> None:
    incident = open_incident(run, config)
    assert run("incidents", "ack", incident, "--by", "ops", "--for", "2h", "--config", config).code == 0
    shown = run("incidents", "show", incident, "--json", "--config", config).json()
    assert shown["acked_by"] == "ops"
    assert [n["kind"] for n in shown["notifications"]].count("ack") == 2


def test_an_incident_is_closed_by_hand(config: Path, run: Run) -> None:
    incident = open_incident(run, config)
    assert run("incidents", "resolve", incident, "--by", "ops", "--reason", "known", "--config", config).code == 0
    assert run("incidents", "list", "--config", config).out.strip() == "none is open"
    (closed,) = run("incidents", "list", "--all", "--json", "--config", config).json()["incidents"]
    assert closed["close_reason"] == "resolved by ops: known"


@pytest.mark.parametrize("command", [("show",), ("ack",), ("resolve",)])
def test_an_incident_that_is_not_there_is_refused(config: Path, run: Run, command: tuple[str, ...]) -> None:
    done = run("incidents", *command, "nobody", "--config", config)
    assert done.code == 2
    assert "is not there" in done.err


@pytest.mark.parametrize("lasting", ["soon", "0s", "-1h"])
def test_a_length_that_is_none_is_refused(config: Path, run: Run, lasting: str) -> None:
    done = run("silence", "add", "*", f"--for={lasting}", "--reason", "x", "--config", config)
    assert done.code == 2
    assert "--for" in done.err


def test_a_silence_is_added_listed_and_ended(config: Path, run: Run) -> None:
    added = run("silence", "add", "shop/*", "--for", "2h", "--reason", "release", "--by", "ops", "--config", config)
    assert added.code == 0
    (silence,) = run("silence", "list", "--json", "--config", config).json()["silences"]
    assert (silence["pattern"], silence["created_by"], silence["reason"]) == ("shop/*", "ops", "release")
    assert "release" in run("silence", "list", "--config", config).out
    assert run("silence", "expire", silence["id"], "--config", config).code == 0
    assert run("silence", "list", "--config", config).out.strip() == "none holds"


def test_a_silence_that_is_not_there_is_refused(config: Path, run: Run) -> None:
    assert run("silence", "expire", "nobody", "--config", config).code == 2


@pytest.mark.parametrize("columns", [20, 80])
def test_an_id_is_never_cut(config: Path, run: Run, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    run("silence", "add", "shop/an-intent-with-a-long-name-*", "--for", "2h", "--reason", "r" * 90, "--config", config)
    (silence,) = run("silence", "list", "--json", "--config", config).json()["silences"]
    assert open_incident(run, config) in run("incidents", "list", "--config", config).out.split()
    assert silence["id"] in run("silence", "list", "--config", config).out.split()


def test_the_beginning_of_an_id_names_an_incident(config: Path, run: Run) -> None:
    incident = open_incident(run, config)
    beginning = incident[:4]
    assert run("incidents", "show", beginning, "--json", "--config", config).json()["id"] == incident
    taken = run("incidents", "ack", beginning, "--by", "ops", "--config", config)
    assert (taken.code, taken.out) == (0, f"{incident} is taken by ops for 4h\n")
    assert run("incidents", "resolve", beginning, "--config", config).out == f"{incident} is closed\n"


@pytest.mark.parametrize("command", ["show", "ack", "resolve"])
def test_too_short_a_beginning_names_nothing(config: Path, run: Run, command: str) -> None:
    done = run("incidents", command, open_incident(run, config)[:3], "--config", config)
    assert done.code == 2
    assert "is not there" in done.err


def test_a_beginning_of_several_silences_is_refused_with_what_there_is(config: Path, run: Run) -> None:
    for id_ in ("abcd11112222", "abcd33334444"):
        silenced(config, id_)
    done = run("silence", "expire", "abcd", "--config", config)
    assert done.code == 2
    assert {"abcd11112222", "abcd33334444"} <= set(done.err.replace(",", "").split())
    assert run("silence", "expire", "abcd1", "--config", config).out == "silence abcd11112222 is over\n"
    (left,) = run("silence", "list", "--json", "--config", config).json()["silences"]
    assert left["id"] == "abcd33334444"
