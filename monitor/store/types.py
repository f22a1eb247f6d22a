"""Column types: what may be written, and how it comes back as the value that it was.

They refuse, before the database sees it, what the two databases would bend: naive times, NaN, half characters.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import JSON, DateTime, Dialect, Double, Text
from sqlalchemy.types import TypeDecorator

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """Replace NUL and lone surrogates, which PostgreSQL refuses, by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, stored and returned in UTC. Raises ValueError for a naive one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; SQLite keeps no zone, so it is given none."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"a time without a zone cannot be stored: {value!r}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware time in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text of any origin, without the characters that no database takes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Clean it."""
        return None if value is None else clean(value)


class Real(TypeDecorator[float]):
    """A finite number. Raises ValueError for NaN and infinities (SQLite would store NaN as NULL)."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Refuse what is not finite."""
        return None if value is None else _finite(value)


class Word(TypeDecorator[E], Generic[E]):
    """A member of an enumeration of words, stored as the word."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[E]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:
        """Refuse a word that is not of this enumeration."""
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        """Return the member."""
        return None if value is None else self.words(value)


class Document(TypeDecorator[T], Generic[T]):
    """A nested value (dataclasses, tuples, mappings), stored as one JSON document and returned equal."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, value_type: type[T]) -> None:
        super().__init__()
        self.value_type = value_type
        self._adapter = TypeAdapter(value_type)

    def process_bind_param(self, value: T | None, dialect: Dialect) -> object:
        """Turn the value into plain JSON values, strings clean and numbers finite."""
        return None if value is None else plain(self._adapter.dump_python(value, mode="json"))

    def process_result_value(self, value: object, dialect: Dialect) -> T | None:
        """Build the value again."""
        return None if value is None else self._adapter.validate_python(value)


def plain(value: Any) -> object:
    """Plain JSON values with strings clean and numbers finite. Raises ValueError for a number that is not finite."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): plain(item) for key, item in value.items()}
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"a number that is not finite cannot be stored: {value!r}")
    return value
