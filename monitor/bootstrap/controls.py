"""The API's hands on the daemon: it is asked in the web server's thread, and what it moves belongs to another loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress

from monitor.operations import Operations
from monitor.web.api import Controls

Reload = Callable[[], Coroutine[object, object, Sequence[str]]]


def connect(
    controls: Controls,
    loop: asyncio.AbstractEventLoop,
    *,
    operations: Callable[[], Operations],
    changed: Callable[[], None],
    reload: Reload | None = None,
) -> None:
    """Let the API move what lives on `loop`: `changed` and `reload` run there, whoever calls them."""

    def tell() -> None:
        with suppress(RuntimeError):  # the loop has ended; what was done is stored, and told after the next start
            loop.call_soon_threadsafe(changed)

    async def ask(reload: Reload) -> Sequence[str]:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(reload(), loop))

    controls.operations, controls.changed = operations, tell
    controls.reload = None if reload is None else lambda: ask(reload)
