"""The API's hands on a daemon that runs on another loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from monitor.bootstrap.controls import connect
from monitor.operations import Operations
from monitor.web.api import Controls


def no_operations() -> Operations:
    raise AssertionError("not asked for")


async def test_what_is_moved_is_moved_on_the_daemons_own_thread() -> None:
    controls, changed = Controls(), asyncio.Event()
    threads: list[int] = []

    async def reload() -> Sequence[str]:
        threads.append(threading.get_ident())
        return ["refused"]

    def change() -> None:
        threads.append(threading.get_ident())
        changed.set()

    def from_the_web_server() -> Sequence[str]:
        controls.changed()

        async def ask() -> Sequence[str]:
            assert controls.reload is not None
            return await controls.reload()

        return asyncio.run(ask())

    connect(controls, asyncio.get_running_loop(), operations=no_operations, changed=change, reload=reload)
    assert await asyncio.to_thread(from_the_web_server) == ["refused"]
    await changed.wait()
    assert set(threads) == {threading.get_ident()}


def test_a_daemon_that_has_ended_needs_no_wake() -> None:
    controls, loop = Controls(), asyncio.new_event_loop()
    loop.close()
    connect(controls, loop, operations=no_operations, changed=lambda: None)
    controls.changed()
