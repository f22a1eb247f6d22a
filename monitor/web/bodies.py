"""Bodies of requests that change something: JSON of a known form, of bounded length, that no foreign site can post.

Knows no route; says what would be right.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from monitor.reveal import shorten

FOR_PROGRAMS = ("/api/", "/-/")
"""How paths begin whose answers programs read, errors too."""
MOST_BYTES = 65_536
NAMED_PROBLEMS = 5
LONGEST_NAME = 100
RETRY_SECONDS = "30"


class Body(BaseModel):
    """What is read of a request: no unknown keys, no conversions between kinds of values. `EXAMPLE` is a right one."""

    EXAMPLE: ClassVar[str] = "{}"

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


B = TypeVar("B", bound=Body)


class Refused(Exception):
    """Raised when a request cannot be done; says with which status, and what would be right."""

    def __init__(self, status: int, error: str, problems: Sequence[str] = ()) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.problems = tuple(problems)


class Away(Exception):
    """Raised when nothing can be done now, and can soon; says why."""


class Refusal(BaseModel):
    """Why something was not done, and what would be right."""

    model_config = ConfigDict(extra="forbid")

    error: str


class Problems(Refusal):
    """Why something was not done, and each thing that is wrong."""

    problems: list[str]


def refusal(status: int, error: str, problems: Sequence[str] = ()) -> Response:
    """A refusal for programs."""
    told = Problems(error=error, problems=[*problems]) if problems else Refusal(error=error)
    return json_response(told.model_dump(), status)


def json_response(document: object, status: int = 200) -> Response:
    """JSON that any reader takes: what is no character (half a pair) is shown as `?`, and there is no NaN."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode(errors="replace"), status_code=status, media_type="application/json")


def away(why: str = "the database is away") -> Response:
    """A refusal that ends by itself."""
    response = refusal(503, why)
    response.headers["retry-after"] = RETRY_SECONDS
    return response


async def read_body(request: Request, kind: type[B]) -> B:
    """What the request says; nothing at all says `{}`. Raises Refused: 415 for another content type, 413 for too much,
    400 for what is no JSON, 422 for JSON of another form.
    """
    # Any site can make a browser send a form or plain text to this machine; JSON it has to ask leave for.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "send JSON with the header Content-Type: application/json")
    body = await _read(request)
    try:
        given = _parse(body or b"{}")
    except (ValueError, RecursionError) as exc:
        raise Refused(400, f"not JSON{_detail(exc)}; write {kind.EXAMPLE}") from exc
    try:
        return kind.model_validate(given)
    except ValidationError as exc:
        problems = problems_of(exc)
        raise Refused(422, f"{'; '.join(problems)}; write {kind.EXAMPLE}", problems) from exc


async def _read(request: Request) -> bytes:
    body = b""
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise Refused(413, f"too long; send at most {MOST_BYTES} bytes")
    return body


class _Twice(ValueError):
    """Raised when an object has a key twice: readers differ in which of the two they take."""


def _parse(body: bytes) -> object:
    return json.loads(
        body.decode("utf-8-sig"), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_without_twins
    )


def _detail(exc: Exception) -> str:
    return f": {exc}" if isinstance(exc, _Twice) else ""


def problems_of(error: ValidationError) -> list[str]:
    """What is wrong with each value, the first few of them."""
    found = [(".".join(map(str, one["loc"])), one) for one in error.errors(include_url=False)[:NAMED_PROBLEMS]]
    return [f"{shorten(where, LONGEST_NAME)}: {_words(one)}" if where else _words(one) for where, one in found]


def _words(problem: ErrorDetails) -> str:
    if problem["type"] == "string_pattern_mismatch" and problem["ctx"]["pattern"] == r"\S":
        return "must not be blank"
    return problem["msg"].removeprefix("Value error, ")


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number that is too large")
    return number


def _without_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        ((twin, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise _Twice(f"{shorten(twin, LONGEST_NAME)} is there twice")
    return found
