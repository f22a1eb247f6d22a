"""One thing that can be asked of the API: how, with what, what is done, what comes back.

Routes and the document are both made of these, so that neither says anything that the other does not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from monitor.web.answers import Answer
from monitor.web.api.queries import Query
from monitor.web.bodies import Body

V1 = "/api/v1"

Q = TypeVar("Q", bound=Query)
B = TypeVar("B", bound=Body)
A = TypeVar("A", bound=Answer)


class NoBody(Body):
    """Of requests that have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Q, B]):
    """What was asked, read and found to be of its form. `path` has the parts of the path by name."""

    path: Mapping[str, str]
    query: Q
    body: B


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Generic[Q, B, A]):
    """`name` is that of the operation. `answer` is what comes with `status`. `work` may raise Refused, NotThere,
    StaleWrite and StoreFailure. `may_conflict`: there is a 409; `is_partial`: the answer has a `next`.
    """

    method: str
    path: str
    name: str
    summary: str
    query: type[Q]
    body: type[B]
    answer: type[A]
    work: Callable[[Call[Q, B]], Awaitable[A]]
    status: int = 200
    may_conflict: bool = False

    @property
    def is_partial(self) -> bool:
        """Whether the answer is one part of a list."""
        return "next" in self.answer.model_fields
