"""What requests to the API may say: the bodies of posts, and the parameters of queries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, ClassVar, TypeVar

from pydantic import BeforeValidator, Field
from starlette.requests import Request

from monitor.web.bodies import Body, Refused

LONGEST_SECONDS = 366 * 86_400
ACK_SECONDS = 4 * 3600.0
SHOWN = 50
MOST_SHOWN = 1000


def _time(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise ValueError("not a time with its zone; write 2026-03-01T22:00:00+01:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("no time that there is; write 2026-03-01T22:00:00+01:00") from exc


Seconds = Annotated[float, Field(gt=0, le=LONGEST_SECONDS)]
Who = Annotated[str, Field(max_length=100, pattern=r"\S")]
Words = Annotated[str, Field(max_length=1000)]


class Asked(Body):
    """Who asks. A body may be left out where nothing in it is required."""

    EXAMPLE: ClassVar[str] = '{"by": "..."}'

    by: Who = "api"


class Acknowledged(Asked):
    """Somebody takes an incident for a while."""

    EXAMPLE: ClassVar[str] = '{"by": "...", "lasting_seconds": 14400}, of which each may be left out'

    lasting_seconds: Seconds = ACK_SECONDS


class Resolved(Asked):
    """Somebody closes an incident."""

    EXAMPLE: ClassVar[str] = '{"by": "...", "reason": "..."}, of which each may be left out'

    reason: Words = ""


class Rebaselined(Resolved):
    """Somebody wants a baseline taken anew."""


class Silenced(Asked):
    """Somebody wants quiet. Without `starts_at` from now on."""

    EXAMPLE: ClassVar[str] = (
        '{"pattern": "shop/*", "reason": "...", "lasting_seconds": 7200, "by": "...", '
        '"starts_at": "2026-03-01T22:00:00+01:00"}, of which the last two may be left out'
    )

    pattern: Annotated[str, Field(max_length=200, pattern=r"\S")]
    reason: Annotated[str, Field(max_length=1000, pattern=r"\S")]
    lasting_seconds: Seconds
    starts_at: Annotated[datetime, BeforeValidator(_time)] | None = None


B = TypeVar("B", bound=Asked)


def flag(request: Request, name: str) -> bool | None:
    """A parameter that is true or false; None where it is left out. Raises Refused."""
    given = request.query_params.get(name)
    if given not in (None, "true", "false"):
        raise Refused(400, f"{name}: neither true nor false; write {name}=true or {name}=false")
    return None if given is None else given == "true"


def limit(request: Request) -> int:
    """How many are wanted at most. Raises Refused."""
    given = request.query_params.get("limit", str(SHOWN))
    number = int(given) if given.isascii() and given.isdecimal() and len(given) <= len(str(MOST_SHOWN)) else 0
    if not 1 <= number <= MOST_SHOWN:
        raise Refused(400, f"limit: not a number from 1 to {MOST_SHOWN}; write limit={SHOWN}")
    return number
