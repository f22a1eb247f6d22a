"""A scene for each test, and the invariants after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from monitor.demo.receivers import Receivers
from tests.faults.daemon import GOOD, Scene
from tests.faults.invariants import check_invariants, watch
from tests.fixtures.assistants import ServeAssistant

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test itself failed: what it left behind says nothing then."""
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture
async def scene(
    request: pytest.FixtureRequest, tmp_path: Path, serve_assistant: ServeAssistant, receivers: Receivers
) -> AsyncIterator[Scene]:
    """An assistant that answers rightly, both channels, no daemon yet. After the test the invariants must hold."""
    scene = Scene(tmp_path, await serve_assistant(lambda _: GOOD), receivers)
    watching = asyncio.create_task(watch(scene))
    try:
        yield scene
        if not request.node.stash.get(_FAILED, True):
            await check_invariants(scene)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        for daemon in scene.daemons:
            daemon.__exit__()


@pytest.fixture
def scene_on_postgres(postgres_url: str, scene: Scene) -> Scene:
    """The same, on a blank PostgreSQL database."""
    scene.configure(store={"url": postgres_url})
    return scene
