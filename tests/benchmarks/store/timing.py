"""Transactions with a watch on them: what each waited and held."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine

from monitor.store.database import Database

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One writing transaction, in seconds.

    `name`: module and function. `waited`: from the call until it had begun, which on SQLite is until it had the lock;
    `worked`: its statements, which on PostgreSQL wait for locks of rows; `committed`: until the commit had returned.
    """

    name: str
    waited: float
    worked: float
    committed: float

    @property
    def held(self) -> float:
        """The longest that anybody could have waited for its locks."""
        return self.worked + self.committed

    @property
    def before_commit(self) -> float:
        """The longest that it can have waited for the locks of others: everything but its own commit."""
        return self.waited + self.worked

    @property
    def whole(self) -> float:
        """All of it."""
        return self.waited + self.worked + self.committed


class TimedDatabase(Database):
    """Keeps a span of every transaction that writes; otherwise the store's own."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.spans: list[Span] = []

    def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same; when it is tried again, what went before counts as waiting."""
        times = [time.perf_counter()] * 3

        def timed(connection: Connection) -> T:
            times[1] = time.perf_counter()
            try:
                return work(connection, *args, **kwargs)
            finally:
                times[2] = time.perf_counter()

        result = super().write(timed)
        ended = time.perf_counter()
        asked, begun, done = times
        span = Span(name=_name(work), waited=begun - asked, worked=done - begun, committed=ended - done)
        self.spans.append(span)
        return result


def _name(work: object) -> str:
    return f"{getattr(work, '__module__', '')}.{getattr(work, '__qualname__', '')}"


def p95(milliseconds: Sequence[float]) -> float:
    """The 95th percentile, between the two nearest."""
    return round(statistics.quantiles(milliseconds, n=20, method="inclusive")[-1], 2)


def longest_ms(seconds: Sequence[float]) -> float:
    """The longest, in milliseconds."""
    return round(1000 * max(seconds), 2)
