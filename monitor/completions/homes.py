"""Which server a conversation is at home on. Knows nothing of servers but that they can be told apart."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Server = TypeVar("Server", bound=Hashable)


class Homes(Generic[Server]):
    """At most `limit` conversations; the one that was asked for longest ago is forgotten first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._servers: OrderedDict[str, Server] = OrderedDict()
        self._counts: Counter[Server] = Counter()

    def of(self, conversation: str) -> Server | None:
        """The server, None for a conversation that has none."""
        if conversation not in self._servers:
            return None
        self._servers.move_to_end(conversation)
        return self._servers[conversation]

    def count(self, server: Server) -> int:
        """How many conversations are at home there."""
        return self._counts[server]

    def settle(self, conversation: str, server: Server) -> None:
        """Give the conversation a home, a new one if it has one."""
        self.forget(conversation)
        self._servers[conversation] = server
        self._counts[server] += 1
        if len(self._servers) > self._limit:
            self.forget(next(iter(self._servers)))

    def forget(self, conversation: str) -> None:
        """It is over."""
        server = self._servers.pop(conversation, None)
        if server is not None:
            self._counts[server] -= 1
