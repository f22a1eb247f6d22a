"""What the servers of one model must have in common. Knows nothing of how they are chosen."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from monitor.completions.client import CompletionClient, ServerCard
from monitor.completions.contract import ModelInfo
from monitor.errors import EngineFailure


class Identity:
    """What all servers must have in common. The first that tells its tokenizer sets what the others are held to."""

    def __init__(self, window: int, model: ModelInfo | None) -> None:
        self.model = model
        self._is_given = model is not None
        self._window = window
        self._first: str | None = None
        self._tokenizer: str | None = None
        self._end_ids: frozenset[int] | None = None

    async def check(self, name: str, client: CompletionClient, card: ServerCard) -> None:
        """Raises EngineFailure when a server's model cannot take the place of the others'."""
        info = await client.model_info() if card.dialect.has_tokenizer else None
        window = info.max_context if info else card.max_context
        if window is not None and window < self._window:
            raise EngineFailure(f"simulator.window is {self._window}, but the model at {name} takes {window} tokens")
        if info is not None:
            await self._compare(name, info)
        elif not self._is_given:
            raise EngineFailure(
                f"{name} does not hand out its tokenizer: set simulator.tokenizer to its model's folder"
            )

    async def _compare(self, name: str, info: ModelInfo) -> None:
        if self._tokenizer is None and self.model is not None:
            self._tokenizer = await asyncio.to_thread(_hash, self.model.tokenizer)
        tokenizer, end_ids = await asyncio.to_thread(_hash, info.tokenizer), frozenset(info.end_ids)
        if self.model is None:
            self.model = info
        self._tokenizer = self._tokenizer or tokenizer
        self._end_ids = end_ids if self._end_ids is None else self._end_ids
        other = self._first or "simulator.tokenizer"
        if tokenizer != self._tokenizer:
            raise EngineFailure(f"{name} serves another model than {other}: its tokenizer is another one")
        if end_ids != self._end_ids:
            raise EngineFailure(f"{name} serves another model than {other}: its texts end with other ids")
        self._first = self._first or name


def _hash(tokenizer: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(tokenizer, sort_keys=True).encode()).hexdigest()
