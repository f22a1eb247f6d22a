"""Work on many things, some at once, answers in order. Knows nothing of what is worked on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_order(things: Iterable[T], work: Callable[[T], Awaitable[R]], *, at_once: int) -> AsyncIterator[R]:
    """What `work` gives for each thing, in their order. The first failure ends it; what runs then is cancelled."""
    running: deque[asyncio.Future[R]] = deque()
    left = iter(things)
    try:
        while True:
            for thing in islice(left, at_once - len(running)):
                running.append(asyncio.ensure_future(work(thing)))
            if not running:
                return
            yield await running[0]
            running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
