"""The supervisor keeps a child alive: here a small stand-in that speaks the engine's health over its socket."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.engine.settings import EngineSettings, ExitCode
from monitor.errors import EngineFailure
from monitor.supervisor import EngineState, EngineSupervisor, Patience, engine_command
from tests.fixtures.models import running_supervised_parent
from tests.fixtures.supervised import HEALTHY, QUICK, only_unless, supervised, until


async def test_it_is_ready_once_the_child_is_healthy_and_ends_it(tmp_path: Path) -> None:
    async with supervised(HEALTHY, tmp_path / "s") as supervisor:
        await supervisor.start()
        states = [supervisor.state]
        pid = supervisor.pid
    assert [*states, supervisor.state] == [EngineState.READY, EngineState.STOPPED]
    assert not Path(f"/proc/{pid}").exists()


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    async with supervised(HEALTHY, tmp_path / "s") as supervisor:
        await supervisor.start()
        first = supervisor.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: supervisor.restarts == 1)
        await supervisor.wait_ready()
        assert supervisor.pid not in (None, first)


async def test_a_hung_child_is_ended_and_started_again(tmp_path: Path) -> None:
    sick = tmp_path / "s.sick"
    async with supervised(HEALTHY, tmp_path / "s") as supervisor:
        await supervisor.start()
        sick.touch()
        await until(lambda: supervisor.restarts == 1)
        assert "no healthy answer" in supervisor.reason
        sick.unlink()
        await supervisor.wait_ready()


async def test_a_child_that_cannot_start_fails_at_once_with_its_words(tmp_path: Path) -> None:
    say = "print('event=cannot_start reason=no GPU here', file=sys.stderr)"
    script = f"import sys; {say}; sys.exit({ExitCode.CANNOT_START})"
    async with supervised(script, tmp_path / "s") as supervisor:
        with pytest.raises(EngineFailure, match=r"code 4 \(cannot_start\): no GPU here"):
            await supervisor.start()
        assert supervisor.restarts == 0


async def test_a_child_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    waited: list[float] = []
    patience = Patience(startup=0.3, health_interval=0.02, stop=2)
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    supervisor = EngineSupervisor(command, tmp_path / "s", patience=patience, on_wait=waited.append)
    with pytest.raises(EngineFailure, match=r"0\.3 s"):
        await supervisor.start()
    assert len(waited) > 1 and supervisor.pid is None


async def test_a_child_that_stops_being_startable_is_given_up_later(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    async with supervised(only_unless(gone), tmp_path / "s") as supervisor:
        await supervisor.start()
        gone.touch()
        assert supervisor.pid is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        await until(lambda: supervisor.state is EngineState.FAILED)
        with pytest.raises(EngineFailure, match="cannot_start"):
            await supervisor.wait_ready()


async def test_an_unloaded_child_is_gone_and_comes_back_when_it_is_loaded(tmp_path: Path) -> None:
    async with supervised(HEALTHY, tmp_path / "s") as supervisor:
        await supervisor.start()
        await supervisor.unload()
        assert (supervisor.state, supervisor.pid) == (EngineState.UNLOADED, None)
        with pytest.raises(EngineFailure, match="unloaded"):
            await supervisor.wait_ready()
        await supervisor.load()
        assert supervisor.state is EngineState.READY
        assert supervisor.restarts == 0


async def test_who_is_cancelled_while_unloading_stays_cancelled(tmp_path: Path) -> None:
    async with supervised(HEALTHY, tmp_path / "s") as supervisor:
        await supervisor.start()
        unloading = asyncio.create_task(supervisor.unload())
        await asyncio.sleep(0)
        unloading.cancel()
        await asyncio.wait({unloading})
        assert unloading.cancelled()
        pid = supervisor.pid
    assert pid is not None and not Path(f"/proc/{pid}").exists()


async def test_a_child_that_cannot_be_loaded_again_is_tried_until_it_can(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    async with supervised(only_unless(gone), tmp_path / "s", replace(QUICK, hopeless_starts=None)) as supervisor:
        await supervisor.start()
        await supervisor.unload()
        gone.touch()
        loading = asyncio.create_task(supervisor.load())
        await until(lambda: supervisor.restarts > 3)
        assert not loading.done()
        gone.unlink()
        await loading
        assert supervisor.state is EngineState.READY


async def test_a_load_that_takes_too_long_is_told_and_goes_on(tmp_path: Path) -> None:
    script, patience = "import time; time.sleep(600)", replace(QUICK, startup=0.3)
    async with supervised(script, tmp_path / "s", patience) as supervisor:
        with pytest.raises(EngineFailure, match=r"0\.3 s"):
            await supervisor.load()
        assert supervisor.state in (EngineState.STARTING, EngineState.RESTARTING)


async def test_a_child_is_told_how_often_it_was_started_again(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script = f"import pathlib, sys\npathlib.Path({str(told)!r}).write_text(' '.join(sys.argv[2:]))\n{HEALTHY}"
    async with supervised(script, tmp_path / "s") as supervisor:
        await supervisor.start()
        assert told.read_text() == "--restarts 0"
        assert supervisor.pid is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        await until(lambda: told.read_text() == "--restarts 1")


async def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineFailure, match="cannot be run"):
        await EngineSupervisor(["/no/such/program"], tmp_path / "s", patience=QUICK).start()


async def test_what_the_child_says_is_logged_line_by_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with supervised(HEALTHY, tmp_path / "s") as supervisor:
        await supervisor.start()
        await until(lambda: any("line=serving" in message for message in caplog.messages))
        pid = supervisor.pid
    said = [message for message in caplog.messages if message.startswith("event=engine_said")]
    assert f"event=engine_said pid={pid} line=serving" in said


def test_the_command_line_says_what_the_settings_say() -> None:
    settings = EngineSettings(model="smollm2", socket=Path("/run/engine.sock"), max_slots=8, parent_pid=7)
    command = engine_command(settings)
    assert command[1:5] == ["-m", "monitor.engine", "--model", "smollm2"]
    assert command[command.index("--socket") + 1] == "/run/engine.sock"
    assert not {"--port", "--host", "--restarts"} & set(command)
    assert command[command.index("--parent-pid") + 1] == "7"


async def test_a_daemon_that_is_killed_leaves_no_engine(userlm_folder: Path, tmp_path: Path) -> None:
    socket = tmp_path / "engine.sock"
    with running_supervised_parent(userlm_folder, socket) as (parent, engine):
        parent.kill()
        await until(lambda: not engine.exists() or "State:\tZ" in (engine / "status").read_text())
    assert not socket.exists()
