"""Which pages of metrics are read, and an engine that is unloaded between checks: the whole daemon's graph in here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from monitor.bootstrap.application import Application, open_application
from monitor.bootstrap.engine import engine_pages, shown_url
from monitor.check import CheckStatus, Trigger
from monitor.config import load
from monitor.engine_metrics import EngineMetrics
from monitor.errors import HttpFailure
from monitor.sdnotify import ServiceManager
from tests.config.samples import CONFIG, loaded
from tests.e2e.daemon import tiny_userlm, write_config
from tests.engine_page import engine_page
from tests.fixtures.assistants import ServeAssistant, responds, says

YEARLY = "schedule: {cron: '0 0 1 1 *'}"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


def with_servers(*urls: str) -> str:
    listed = ", ".join(f"{{url: '{url}'}}" for url in urls)
    return CONFIG.replace("kind: scripted", f"kind: userlm, servers: [{listed}]")


async def test_every_server_is_asked_by_its_url_and_a_child_by_its_socket(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    several = loaded(tmp_path, with_servers("http://gpu:8000/llm", "unix:///run/engine.sock"))
    assert [name for name, _ in engine_pages(several, stack)] == ["http://gpu:8000/llm", "unix:///run/engine.sock"]
    child = loaded(tmp_path, CONFIG.replace("kind: scripted", "kind: userlm, model: {name: a/b}"))
    assert [name for name, _ in engine_pages(child, stack)] == ["child"]
    assert engine_pages(loaded(tmp_path), stack) == []


def test_a_servers_name_in_metrics_holds_nothing_secret() -> None:
    assert shown_url("https://user:secret@gpu:8000/llm?key=secret#x") == "https://gpu:8000/llm"


async def test_a_page_is_fetched_beside_the_completions(
    tmp_path: Path, stack: AsyncExitStack, serve_assistant: ServeAssistant
) -> None:
    server = await serve_assistant(lambda _: responds(body=engine_page().encode()))
    (source,) = engine_pages(loaded(tmp_path, with_servers(f"{server.origin}/llm")), stack)
    engines = EngineMetrics([source])
    await engines.refresh()
    assert server.received[0].path == "/llm/metrics"
    assert {s.labels["server"] for family in engines.families() for s in family.samples} == {f"{server.origin}/llm"}


@pytest.mark.parametrize("status", [404, 503])
async def test_a_server_without_a_page_is_no_engine_of_ours(
    tmp_path: Path, stack: AsyncExitStack, serve_assistant: ServeAssistant, status: int
) -> None:
    server = await serve_assistant(lambda _: responds(status, body=engine_page().encode()))
    ((_, fetch),) = engine_pages(loaded(tmp_path, with_servers(server.origin)), stack)
    with pytest.raises(HttpFailure):
        await fetch()


@pytest.fixture
async def application(
    tmp_path: Path, serve_assistant: ServeAssistant, talking_userlm_folder: Path
) -> AsyncIterator[Application]:
    """Its engine is unloaded after a moment, and no slot is near."""
    server = await serve_assistant(lambda _: says("It is thirty days."))
    simulator = tiny_userlm(talking_userlm_folder).replace("engine: {", "engine: {unload_after: 500ms, ")
    path = write_config(tmp_path, server.url, simulator)
    path.write_text(path.read_text().replace("schedule: {every: 1s}", YEARLY))
    async with open_application(load(path, {}), ServiceManager({})) as opened:
        yield opened


async def test_an_engine_that_was_unloaded_comes_back_for_a_check_and_goes_again(application: Application) -> None:
    await until_told(application, "engine_unloaded 1.0", "engine_ready 0.0")
    done = await application.checks["shop"].run(Trigger.MANUAL, seed=1)
    assert done.status is CheckStatus.HEALTHY
    await until_told(application, "engine_unloaded 1.0", "engine_restarts_total 0.0")


async def until_told(application: Application, *lines: str) -> None:
    wanted = {f"assistant_monitor_{line}" for line in lines}
    async with asyncio.timeout(60):
        while not wanted <= set(application.metrics.render()[0].decode().splitlines()):  # noqa: ASYNC110 - a process
            await asyncio.sleep(0.05)
