"""When the engine is unloaded and loaded again: a real child process, a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from monitor.errors import EngineFailure
from monitor.residency import Residency, using
from monitor.supervisor import EngineState, EngineSupervisor, Patience
from tests.fixtures.supervised import HEALTHY, QUICK, only_unless, supervised, until

SLOW_TO_END = f"""
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(0)))
{HEALTHY}
"""


@dataclass
class Scene:
    """An engine that is unloaded after 600 s, with 7200 s until the next slot."""

    engine: EngineSupervisor
    use_file: Path
    at: float = 0.0
    next_use: float | None = 7200.0

    def __post_init__(self) -> None:
        self.residency = Residency(
            engine=self.engine,
            use_file=self.use_file,
            unload_after_seconds=600,
            most_lead_seconds=900,
            next_use_seconds=lambda: self.next_use,
            clock=lambda: self.at,
        )

    async def look_after(self, seconds: float) -> EngineState:
        self.at += seconds
        await self.residency.look()
        return self.engine.state

    async def unload(self) -> None:
        assert await self.look_after(600) is EngineState.UNLOADED


@asynccontextmanager
async def a_scene(folder: Path, script: str = HEALTHY, patience: Patience = QUICK) -> AsyncIterator[Scene]:
    async with supervised(script, folder / "s", patience) as engine:
        await engine.start()
        yield Scene(engine, folder / "use")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with a_scene(tmp_path) as made:
        yield made


async def test_an_engine_that_nobody_uses_for_so_long_is_ended(scene: Scene) -> None:
    assert await scene.look_after(599) is EngineState.READY
    assert await scene.look_after(1) is EngineState.UNLOADED
    assert scene.engine.pid is None


async def test_an_engine_in_use_is_never_unloaded_and_the_wait_begins_with_the_end_of_its_use(scene: Scene) -> None:
    async with scene.residency.in_use(), scene.residency.in_use():
        assert await scene.look_after(100_000) is EngineState.READY
    assert await scene.look_after(599) is EngineState.READY
    assert await scene.look_after(1) is EngineState.UNLOADED


async def test_one_user_that_goes_leaves_it_to_the_other(scene: Scene) -> None:
    async with scene.residency.in_use():
        async with scene.residency.in_use():
            pass
        assert await scene.look_after(100_000) is EngineState.READY


async def test_who_wants_an_unloaded_engine_gets_it_ready(scene: Scene) -> None:
    await scene.unload()
    async with scene.residency.in_use():
        assert scene.engine.state is EngineState.READY
    assert scene.engine.restarts == 0


async def test_who_comes_while_it_is_unloaded_waits_for_the_next_one(tmp_path: Path) -> None:
    async with a_scene(tmp_path, SLOW_TO_END) as scene:
        first = scene.engine.pid
        unloading = asyncio.create_task(scene.look_after(600))
        await until(lambda: scene.engine.state is EngineState.UNLOADED)
        assert scene.engine.pid == first
        async with scene.residency.in_use():
            assert unloading.done()
            assert scene.engine.state is EngineState.READY
            assert scene.engine.pid not in (None, first)


@pytest.mark.parametrize(("load_seconds", "lead"), [(20.0, 70.0), (1000.0, 900.0)])
async def test_it_is_loaded_ahead_of_the_next_use_by_what_the_last_load_took(
    scene: Scene, load_seconds: float, lead: float
) -> None:
    await scene.unload()
    scene.engine.load_seconds = load_seconds
    scene.next_use = lead + 1
    assert await scene.look_after(1) is EngineState.UNLOADED
    scene.next_use = lead
    assert await scene.look_after(1) is EngineState.READY


async def test_what_was_loaded_ahead_is_not_unloaded_when_the_slot_has_come(scene: Scene) -> None:
    await scene.unload()
    scene.next_use = 1
    await scene.look_after(7000)
    scene.next_use = 7200
    assert await scene.look_after(599) is EngineState.READY
    assert await scene.look_after(1) is EngineState.UNLOADED


async def test_it_stays_when_the_next_use_is_near(scene: Scene) -> None:
    scene.next_use = 5
    assert await scene.look_after(100_000) is EngineState.READY


async def test_it_stays_for_the_use_that_begins_a_moment_after_it_was_due(scene: Scene) -> None:
    scene.next_use = 1
    await scene.look_after(100_000)
    scene.next_use = 7200
    assert await scene.look_after(1) is EngineState.READY


async def test_it_is_unloaded_although_the_file_of_its_users_was_removed(scene: Scene) -> None:
    (scene.residency.use_file).unlink()
    await scene.unload()
    assert scene.engine.state is EngineState.UNLOADED


async def test_without_a_schedule_it_is_loaded_for_whoever_asks_alone(scene: Scene) -> None:
    scene.next_use = None
    await scene.unload()
    assert await scene.look_after(100_000) is EngineState.UNLOADED


async def test_an_engine_that_another_process_uses_stays(scene: Scene) -> None:
    with using(scene.use_file) as may_use:
        assert may_use
        assert await scene.look_after(600) is EngineState.READY
    assert await scene.look_after(599) is EngineState.READY
    assert await scene.look_after(1) is EngineState.UNLOADED


async def test_another_process_does_not_begin_to_use_what_is_being_unloaded(tmp_path: Path) -> None:
    async with a_scene(tmp_path, SLOW_TO_END) as scene:
        unloading = asyncio.create_task(scene.look_after(600))
        await until(lambda: scene.engine.state is EngineState.UNLOADED)
        with using(scene.use_file) as may_use:
            assert not may_use
        await unloading


def test_an_engine_that_is_never_unloaded_may_always_be_used(tmp_path: Path) -> None:
    with using(tmp_path / "no-file") as may_use:
        assert may_use


async def test_a_load_that_fails_is_told_to_whoever_waits_and_goes_on(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    patience = replace(QUICK, hopeless_starts=None, startup=5)
    async with a_scene(tmp_path, only_unless(gone), patience) as scene:
        await scene.unload()
        gone.touch()
        with pytest.raises(EngineFailure, match="cannot_start"):
            async with scene.residency.in_use():
                raise AssertionError("nothing to use")
        assert await scene.look_after(100_000) is EngineState.RESTARTING
        gone.unlink()
        async with scene.residency.in_use():
            assert scene.engine.state is EngineState.READY


async def test_a_load_ahead_that_fails_is_logged_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = tmp_path / "gone"
    async with a_scene(tmp_path, only_unless(gone)) as scene:
        await scene.unload()
        gone.touch()
        scene.next_use = 1
        looking = asyncio.create_task(scene.residency.run())
        await until(lambda: any("engine_not_loaded" in message for message in caplog.messages))
        gone.unlink()
        await until(lambda: scene.engine.state is EngineState.READY)
        await ended(looking)


@pytest.mark.parametrize("is_so", [EngineState.UNLOADED, EngineState.STARTING])
async def test_who_is_stopped_while_unloading_or_loading_leaves_no_child(tmp_path: Path, is_so: EngineState) -> None:
    async with a_scene(tmp_path, SLOW_TO_END) as scene:
        scene.at = 600
        if is_so is EngineState.STARTING:
            await scene.residency.look()
            scene.next_use = 1
        looking = asyncio.create_task(scene.residency.run())
        await until(reached(scene, is_so))
        pid = scene.engine.pid
        await ended(looking)
    assert scene.engine.state is EngineState.STOPPED
    assert pid is not None and not Path(f"/proc/{pid}").exists()


def reached(scene: Scene, state: EngineState) -> Callable[[], bool]:
    return lambda: scene.engine.state is state and scene.engine.pid is not None


async def ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    async with asyncio.timeout(1):
        await asyncio.wait({task})
    assert task.cancelled()
