"""What bodies of requests to the API may say."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from monitor.web.bodies import Body
from monitor.web.moments import AskedMoment

LONGEST_SECONDS = 366 * 86_400
ACK_SECONDS = 4 * 3600.0

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
    starts_at: AskedMoment | None = None
