"""End to end on a model shaped like UserLM: daemon, engine, assistant and receivers, each where it really runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.check import CheckStatus
from monitor.demo.receivers import Receivers
from monitor.engine_metrics import PREFIX, parse
from monitor.store import Store
from monitor.transcript import EndReason, Role
from tests.cli.commands import notify
from tests.e2e.daemon import DaemonProcess, maps, tiny_userlm, write_config
from tests.engine_page import blamed, engine_page
from tests.fixtures.assistants import ScriptedAssistant, ServeAssistant, says
from tests.fixtures.talking import FOLLOW_UPS, OPENINGS

GOOD, BAD = says("It is thirty days."), says("That costs ten euros.")


@pytest.fixture
async def assistant(serve_assistant: ServeAssistant) -> ScriptedAssistant:
    return await serve_assistant(lambda _: GOOD)


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with Receivers() as running:
        yield running


@pytest.fixture
def config(tmp_path: Path, assistant: ScriptedAssistant, receivers: Receivers, talking_userlm_folder: Path) -> Path:
    channels = json.dumps(notify(tmp_path, receivers))
    return write_config(tmp_path, assistant.url, tiny_userlm(talking_userlm_folder), channels)


def kinds(receivers: Receivers) -> list[tuple[str, str]]:
    return sorted((told["channel"], told["kind"]) for told in receivers.deliveries())


async def test_a_fall_is_told_and_its_end_too(config: Path, assistant: ScriptedAssistant, receivers: Receivers) -> None:
    with DaemonProcess(config) as daemon:
        await daemon.until(lambda: any(c.status is CheckStatus.HEALTHY for c in daemon.checks()), "a healthy check")
        assistant.answer = lambda _: BAD
        await daemon.until(lambda: len(receivers.deliveries()) == 2, "the open on both channels")
        assistant.answer = lambda _: GOOD
        await daemon.until(lambda: len(receivers.deliveries()) == 4, "the end on both channels")
        assert await daemon.stop() == 0
    assert kinds(receivers) == [(c, k) for c in ("pagerduty", "slack") for k in ("open", "resolve")]
    assert {told["dedup_key"] for told in receivers.deliveries()} == {"assistant-monitor:test:shop/overall"}


async def test_the_model_opens_follows_up_and_ends(config: Path) -> None:
    with DaemonProcess(config) as daemon:
        await daemon.until(lambda: any(c.status is CheckStatus.HEALTHY for c in daemon.checks()), "a healthy check")
        await daemon.stop()
    store = Store.open(f"sqlite:///{config.parent / 'monitor.sqlite3'}")
    done = next(check for check in store.checks() if check.status is CheckStatus.HEALTHY)
    talks = [conversation.transcript for conversation in store.conversations(done.id)]
    store.close()
    assert {talk.turns[0].text for talk in talks} <= set(OPENINGS)
    assert {talk.turns[2].text for talk in talks if len(talk.turns) > 2} <= set(FOLLOW_UPS)
    assert EndReason.USER_ENDED in {talk.end for talk in talks}
    sampled = [turn.sampled for talk in talks for turn in talk.turns if turn.role is Role.USER]
    assert all(s and s.log_likelihood is not None and s.p_end is not None and 0 <= s.p_end <= 1 for s in sampled)


async def test_torch_is_in_the_engine_and_never_in_the_daemon(config: Path) -> None:
    with DaemonProcess(config) as daemon:
        await daemon.until(daemon.is_ready, "the daemon to be ready")
        await daemon.until(lambda: bool(daemon.checks()), "a check")
        (engine,) = daemon.children()
        assert "libtorch" in maps(engine)
        assert "libtorch" not in maps(daemon.process.pid)
        await daemon.stop()


async def test_a_killed_engine_is_started_again_and_checks_go_on(config: Path) -> None:
    with DaemonProcess(config) as daemon:
        await daemon.until(lambda: any(c.status is CheckStatus.HEALTHY for c in daemon.checks()), "a healthy check")
        (engine,) = daemon.children()
        os.kill(engine, signal.SIGKILL)
        before = len(daemon.checks())
        await daemon.until(lambda: daemon.children() not in ([], [engine]), "another engine")
        await daemon.until(
            lambda: any(c.status is CheckStatus.HEALTHY for c in daemon.checks()[: -before - 1]),
            "a later healthy check",
        )
        assert await daemon.stop() == 0


async def test_the_engine_ends_with_a_killed_daemon(config: Path) -> None:
    with DaemonProcess(config) as daemon:
        await daemon.until(daemon.is_ready, "the daemon to be ready")
        (engine,) = daemon.children()
        await daemon.stop(signal.SIGKILL)
        for _ in range(1000):
            if not _is_alive(engine):
                break
            await asyncio.sleep(0.02)
    assert not _is_alive(engine)
    with DaemonProcess(config) as again:
        await again.until(again.is_ready, "the next start")
        assert await again.stop() == 0


async def test_a_model_that_opens_the_assistants_turn_is_refused_at_the_start(
    config: Path, talking_userlm_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "assistant-model"
    folder.mkdir()
    for file in talking_userlm_folder.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "chat_template.jinja").unlink()
    (folder / "chat_template.jinja").write_text(
        "{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n{{ m['content'] }}<|eot_id|>"
        "{% endfor %}<|start_header_id|>assistant<|end_header_id|>\n"
    )
    config.write_text(config.read_text().replace(str(talking_userlm_folder), str(folder)))
    with DaemonProcess(config) as daemon:
        assert await daemon.wait() == 4
        assert "does not end by opening the user's turn" in daemon.said()


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_check_by_command_uses_the_running_daemons_engine(config: Path) -> None:
    with DaemonProcess(config) as daemon:
        await daemon.until(daemon.is_ready, "the daemon to be ready")
        manual = DaemonProcess(config, command="check", log_name="check.log")
        with manual:
            engines: set[int] = set()
            await daemon.until(lambda: _is_over(manual, engines), "the end of the check")
            assert await manual.wait() == 0, manual.said()
        assert engines == set()
        assert await daemon.stop() == 0


async def test_what_the_engine_counts_is_in_the_daemons_metrics(config: Path) -> None:
    with DaemonProcess(config) as daemon:
        await daemon.until(lambda: engine_samples(daemon).get("step_seconds_count", 0) > 0, "steps in the metrics")
        expected = {s.name.removeprefix(PREFIX) for family in parse(engine_page(), "child") for s in family.samples}
        assert engine_samples(daemon).keys() == expected - {"restarts_total"}
        assert engine_samples(daemon)["slots_free"] <= 8
        answer = daemon.get("/metrics")
        assert answer is not None
        assert blamed(answer.content) == (0, b"", b"")
        assert await daemon.stop() == 0


def engine_samples(daemon: DaemonProcess) -> dict[str, float]:
    """What its child says of itself; of several samples with one name the last one."""
    answer = daemon.get("/metrics")
    families = text_string_to_metric_families(answer.text if answer else "")
    samples = [sample for family in families for sample in family.samples if sample.labels.get("server") == "child"]
    return {sample.name.removeprefix(PREFIX): sample.value for sample in samples}


async def test_an_engine_is_unloaded_between_checks_and_commands_start_their_own_then(config: Path) -> None:
    text = config.read_text().replace("schedule: {every: 1s}", "schedule: {cron: '0 0 1 1 *'}")
    config.write_text(text.replace("engine: {", "engine: {unload_after: 1s, "))
    with DaemonProcess(config) as daemon:
        await daemon.until(lambda: any(c.status is CheckStatus.HEALTHY for c in daemon.checks()), "a healthy check")
        await daemon.until(lambda: daemon.children() == [], "the end of the engine")
        answer = daemon.get("/metrics")
        assert answer is not None
        assert {"assistant_monitor_engine_ready 0.0", "assistant_monitor_engine_unloaded 1.0"} <= set(
            answer.text.splitlines()
        )
        assert daemon.is_ready()
        with DaemonProcess(config, command="check", log_name="check.log") as manual:
            engines: set[int] = set()
            await daemon.until(lambda: _is_over(manual, engines), "the end of the check")
            assert await manual.wait() == 0, manual.said()
        assert len(engines) == 1
        assert daemon.children() == []
        assert await daemon.stop() == 0


def _is_over(manual: DaemonProcess, engines: set[int]) -> bool:
    if manual.process.poll() is not None:
        return True
    engines.update(manual.children())
    return False
