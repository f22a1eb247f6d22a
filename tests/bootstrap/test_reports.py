"""Whether a listener takes reports of tool calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.bootstrap.reports import hears_reports
from monitor.transcript import Receipt
from monitor.web.pages import pages_app
from monitor.web.reports import ToolCallReports
from monitor.web.server import WebServer
from tests.config.samples import CONFIG, loaded
from tests.web.examples import T0, TOKEN, MemoryRecords, snapshot


async def heard(folder: Path, pages: str) -> bool:
    return await hears_reports(loaded(folder, f"{CONFIG}server: {{pages: {pages}}}\n"))


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_the_listener_of_a_running_daemon_is_found(tmp_path: Path, token: str | None) -> None:
    reports = ToolCallReports(lambda _: Receipt.TAKEN, str, lambda: T0)
    app = pages_app(MemoryRecords(), snapshot, token=token, clock=lambda: T0, reports=reports)
    server = WebServer(app, host="127.0.0.1", port=0)
    server.start()
    address = f"'127.0.0.1:{server.address[1]}'"
    try:
        assert await heard(tmp_path, address)
    finally:
        server.stop()
    assert not await heard(tmp_path, address)


@pytest.mark.parametrize("pages", ["null", "'127.0.0.1:0'"])
async def test_a_listener_without_a_known_port_is_none(tmp_path: Path, pages: str) -> None:
    assert not await heard(tmp_path, pages)
