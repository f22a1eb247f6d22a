"""Cursors: where a list goes on, as text for a URL. Each text of the form is a place, so that none can be forged.

A cursor tells nothing that the list did not tell, and gives no more rights than the list: it needs no signature.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from monitor.store.places import Place

PLACE = r"^[0-9a-f]{15}\.([0-9a-f]{2}){0,256}$"
NUMBER = r"^[0-9a-f]{1,15}$"

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_TICK = timedelta(microseconds=1)
_WRONG = "not a cursor of this list; write what `next` said, or leave it out to begin with the newest"


def place_text(place: Place) -> str:
    """The cursor of a place."""
    return f"{(place.at - _FIRST) // _TICK:015x}.{place.id.encode(errors='replace').hex()}"


def place_from(text: object) -> Place:
    """The place of a cursor. Raises ValueError for any other text."""
    if isinstance(text, Place):
        return text
    if not isinstance(text, str) or not re.fullmatch(PLACE.rstrip("$"), text):
        raise ValueError(_WRONG)
    ticks, _, name = text.partition(".")
    at = _FIRST + min(int(ticks, 16) * _TICK, _LAST - _FIRST)
    return Place(at=at, id=bytes.fromhex(name).decode(errors="replace"))


def number_text(number: int) -> str:
    """The cursor of a number."""
    return f"{number:x}"


def number_from(text: object) -> int:
    """The number of a cursor. Raises ValueError for any other text."""
    if isinstance(text, int):
        return text
    if not isinstance(text, str) or not re.fullmatch(NUMBER.rstrip("$"), text):
        raise ValueError(_WRONG)
    return int(text, 16)


PlaceCursor = Annotated[
    Place,
    BeforeValidator(place_from),
    PlainSerializer(place_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": PLACE}),
]
NumberCursor = Annotated[
    int,
    BeforeValidator(number_from),
    PlainSerializer(number_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": NUMBER}),
]
