"""Times at the border of the API: RFC 3339 in, UTC out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_FORM = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_WRONG = "not a time with its zone; write 2026-03-01T21:00:00Z, or 2026-03-01T22:00:00+01:00 (+ is %2B in a URL)"
_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})


def moment_from(text: object) -> datetime:
    """The time that is written, in UTC; one beyond the calendar is its first or last. Raises ValueError."""
    if not isinstance(text, str) or not _FORM.fullmatch(text):
        raise ValueError(_WRONG)
    try:
        at = datetime.fromisoformat(text.upper())
    except ValueError as exc:
        raise ValueError(_WRONG) from exc
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return (datetime.min if at.year == 1 else datetime.max).replace(tzinfo=UTC)


AskedMoment = Annotated[datetime, BeforeValidator(moment_from), _SCHEMA]
"""A time in a request."""

Moment = Annotated[datetime, PlainSerializer(datetime.isoformat, return_type=str), _SCHEMA]
"""A time in an answer."""
