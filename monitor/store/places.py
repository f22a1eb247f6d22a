"""Places in an order by time and id, and the parts of a list that lie between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, desc, tuple_, type_coerce

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in an order by time and id. There need be no row at it."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Generic[T]):
    """One part of a list; `next` is the place after which the list goes on, None at its end."""

    rows: tuple[T, ...]
    next: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Times from `since` on and before `until`; None: without an end."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """By time and id, newest first."""

    at: ColumnElement[Any]
    id: ColumnElement[Any]

    def within(self, span: Span, after: Place | None = None) -> list[ColumnElement[bool]]:
        """The conditions of these times, and of what comes after a place."""
        bounds = [
            None if span.since is None else self.at >= span.since,
            None if span.until is None else self.at < span.until,
            None if after is None else tuple_(self.at, self.id) < tuple_(self._time(after.at), self._text(after.id)),
        ]
        return [bound for bound in bounds if bound is not None]

    def newest(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """The same for ORDER BY."""
        return desc(self.at), desc(self.id)

    def _time(self, at: datetime) -> ColumnElement[Any]:
        return type_coerce(at, self.at.type)

    def _text(self, text: str) -> ColumnElement[Any]:
        return type_coerce(text, self.id.type)


def part_of(found: Sequence[T], limit: int, place_of: Callable[[T], Place]) -> Part[T]:
    """The first `limit` of what was found; one more than that says that the list goes on."""
    shown = tuple(found[:limit])
    return Part(rows=shown, next=place_of(shown[-1]) if len(found) > limit else None)
