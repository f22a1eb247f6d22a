"""`report`: what goes where, and what is said when it cannot."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from monitor.check import CheckStatus
from monitor.check_report import Format
from monitor.store import Store, migrate
from tests.check_report import samples
from tests.check_report.pages import parse
from tests.check_report.samples import AT, GOOD, HOURS, fallen
from tests.cli.commands import ANSWER, Run, write_config
from tests.fixtures.assistants import ServeAssistant, says

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with a store that holds a healthy check, `before`, and the degraded one `now` after it."""
    folder = tmp_path_factory.mktemp("reported")
    (folder / "state").mkdir()
    url = f"sqlite:///{folder}/state/monitor.sqlite3"
    migrate.upgrade(url)
    store = Store.open(url)
    fallen(store)
    samples.run(store, "other", GOOD, status=CheckStatus.HEALTHY, at=AT - 9 * HOURS, suite="gone")
    store.close()
    return write_config(folder)


def test_several_files_are_written_at_once(config: Path, tmp_path: Path, run: Run) -> None:
    files = {form: tmp_path / f"report.{form}" for form in Format}
    options = [part for form, path in files.items() for part in (f"--{form}", path)]
    done = run("report", "now", *options, "--config", config)
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == [f"{form}: {path}" for form, path in files.items()]
    assert "What changed" in parse(files[Format.HTML].read_text()).text
    assert ET.fromstring(files[Format.JUNIT].read_text()).tag == "testsuites"
    assert files[Format.MARKDOWN].read_text().startswith("## ❌ shop: degraded")
    assert json.loads(files[Format.JSON].read_text())["check_id"] == "now"


@pytest.mark.parametrize("form", list(Format))
@pytest.mark.parametrize("target", [(), ("-",)], ids=["nothing", "dash"])
def test_without_a_file_it_is_printed(target: tuple[str, ...], form: Format, config: Path, run: Run) -> None:
    done = run("report", "now", "--config", config, f"--{form}", *target)
    begins = {Format.HTML: "<!doctype html>", Format.JUNIT: "<?xml", Format.MARKDOWN: "## ", Format.JSON: "{"}
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(begins[form])


@pytest.mark.parametrize(
    ("wanted", "found"), [("now", "now"), ("bef", "before"), ("latest", "now"), ("latest:gone", "other")]
)
def test_a_check_is_named_in_several_ways(wanted: str, found: str, config: Path, run: Run) -> None:
    assert run("report", wanted, "--json", "--config", config).json()["check_id"] == found


def test_a_suite_that_is_configured_no_more_has_no_threshold(config: Path, run: Run) -> None:
    assert run("report", "other", "--json", "--config", config).json()["threshold"] is None


def test_a_wrong_check_is_told_with_what_there_is(config: Path, run: Run) -> None:
    done = run("report", "nowhere", "--html", "--config", config)
    assert (done.code, done.out) == (2, "")
    assert "there is no check 'nowhere'; write `latest`" in done.err
    assert "now 2026-03-01 12:00 shop: degraded" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "choose what is written: --html, --junit, --markdown, --json, each with a file or `-`"),
        (("--html", "--json"), "--html and --json cannot both go to standard output"),
        (("--json", "nowhere/report.json"), "nowhere is no folder that can be written to"),
        (("--json", "a", "--html", "a"), "a is named twice"),
    ],
)
def test_what_cannot_be_written_is_told(options: tuple[str, ...], said: str, config: Path, run: Run) -> None:
    done = run("report", "now", *options, "--config", config)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_how_many_conversations_are_shown_is_asked_for(config: Path, run: Run) -> None:
    page = parse(run("report", "now", "--html", "--conversations", "2", "--config", config).out)
    assert len(page.all("details", **{"class": "talk"})) == 2


async def started(*arguments: object, stdout: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor", *map(str, arguments)),
        cwd=ROOT,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )


async def test_no_page_is_poured_into_a_terminal(config: Path) -> None:
    ours, theirs = pty.openpty()
    process = await started("report", "now", "--html", "--config", config, stdout=theirs)
    _, said = await process.communicate()
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 2
    assert b"a terminal shows no pages; name a file" in said


async def test_what_is_printed_is_utf_8_whatever_the_locale(config: Path) -> None:
    process = await started("report", "now", "--markdown", "--config", config, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert said.decode().startswith("## ❌ shop: degraded")


async def test_a_check_writes_its_reports_at_its_end(serve_assistant: ServeAssistant, tmp_path: Path, run: Run) -> None:
    server = await serve_assistant(lambda _: says(ANSWER))
    names = ("--html", "--junit", "--markdown", "--json-file")
    files = {name: tmp_path / f"report{name}" for name in names}
    options = [part for name, path in files.items() for part in (name, path)]
    done = await asyncio.to_thread(run, "check", *options, "--config", write_config(tmp_path, server.url))
    assert done.code == 0
    assert "Not compared: no earlier check" in parse(files["--html"].read_text()).text
    suite = ET.fromstring(files["--junit"].read_text())[0]
    assert [suite.attrib[name] for name in ("tests", "failures")] == ["3", "0"]
    assert files["--markdown"].read_text().startswith("## ✅ shop: healthy")
    assert json.loads(files["--json-file"].read_text())["total_tests"] == 2


async def test_the_report_of_a_check_is_the_same_later(
    serve_assistant: ServeAssistant, tmp_path: Path, run: Run
) -> None:
    server = await serve_assistant(lambda _: says(ANSWER))
    path = write_config(tmp_path, server.url)
    at_once = (await asyncio.to_thread(run, "check", "--json", "--config", path)).json()
    later = run("report", "latest", "--json", "--config", path).json()
    assert {**at_once, "made_at": None} == {**later, "made_at": None}
