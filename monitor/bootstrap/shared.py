"""Parts that one configuration hands on to the next: opened once for the same settings, closed when nobody holds them.

So a budget of a day, and a bound on requests at once, hold across a reload that left their section as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class _Held:
    settings: object
    part: Any
    closing: AsyncExitStack
    holders: int = 0


class Shared:
    """Belongs to one event loop; opens one part at a time."""

    def __init__(self) -> None:
        self._held: list[_Held] = []

    async def hold(
        self, settings: object, make: Callable[[], AbstractAsyncContextManager[T]], stack: AsyncExitStack
    ) -> T:
        """The part of equal settings, made if there is none; held until the stack ends."""
        held = next((one for one in self._held if one.settings == settings), None)
        if held is None:
            closing = AsyncExitStack()
            part = await closing.enter_async_context(make())
            held = _Held(settings=settings, part=part, closing=closing)
            self._held.append(held)
        held.holders += 1
        stack.push_async_callback(self._let_go, held)
        kept: T = held.part
        return kept

    async def _let_go(self, held: _Held) -> None:
        held.holders -= 1
        if not held.holders:
            self._held.remove(held)
            await held.closing.aclose()
