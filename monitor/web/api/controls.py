"""What the API moves and reads, and how a request comes to it: in a worker thread, with the operations in force."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from monitor.operations import Operations
from monitor.web.answers import Answer
from monitor.web.api.endpoint import B, Call, Endpoint, NoBody, Q
from monitor.web.api.queries import Query
from monitor.web.bodies import Away

STARTING = "the monitor is starting"

A = TypeVar("A", bound=Answer)
Work = Callable[[Call[Q, B], Operations], A]


@dataclass(slots=True, kw_only=True)
class Controls:
    """What the API moves. It is called from the web server's thread, and filled in while the daemon starts.

    `operations` gives those of the configuration in force. `changed` is called after each change, so that messages go
    out at once. `reload` reads the configuration anew and gives the problems for which it was refused: none if it
    holds.
    """

    operations: Callable[[], Operations] | None = None
    changed: Callable[[], None] = lambda: None
    reload: Callable[[], Awaitable[Sequence[str]]] | None = None

    def in_force(self) -> Operations:
        """The operations of the configuration in force. Raises Away."""
        if self.operations is None:
            raise Away(STARTING)
        return self.operations()

    def reads(
        self, path: str, work: Work[Q, NoBody, A], query: type[Q], answer: type[A], *, name: str, summary: str
    ) -> Endpoint[Q, NoBody, A]:
        """An endpoint that shows something."""

        async def read(call: Call[Q, NoBody]) -> A:
            return await run_in_threadpool(work, call, self.in_force())

        return Endpoint(
            method="GET", path=path, name=name, summary=summary, query=query, body=NoBody, answer=answer, work=read
        )

    def does(
        self,
        path: str,
        work: Work[Query, B, A],
        body: type[B],
        answer: type[A],
        *,
        name: str,
        summary: str,
        status: int = 200,
    ) -> Endpoint[Query, B, A]:
        """An endpoint that changes something."""

        async def do(call: Call[Query, B]) -> A:
            done = await run_in_threadpool(work, call, self.in_force())
            self.changed()
            return done

        return Endpoint(
            method="POST",
            path=path,
            name=name,
            summary=summary,
            query=Query,
            body=body,
            answer=answer,
            work=do,
            status=status,
            may_conflict=True,
        )
