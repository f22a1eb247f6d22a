"""Bodies of requests that change something: JSON of a known form, of bounded length, that no foreign site can post.

Knows no route; says what would be right.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

FOR_PROGRAMS = ("/api/", "/-/")
"""How paths begin whose answers programs read, errors too."""
MOST_BYTES = 65_536
NAMED_PROBLEMS = 5
RETRY_SECONDS = "30"


class Body(BaseModel):
    """What is read of a request: no unknown keys, no conversions between kinds of values."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


B = TypeVar("B", bound=Body)


class Refused(Exception):
    """Raised when a request cannot be done; says with which status, and what would be right."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def refusal(status: int, error: str) -> Response:
    """A refusal for programs."""
    return JSONResponse({"error": error}, status_code=status)


def away(why: str = "the database is away") -> Response:
    """A refusal that ends by itself."""
    return JSONResponse({"error": why}, status_code=503, headers={"retry-after": RETRY_SECONDS})


async def read_body(request: Request, kind: type[B], example: str, *, may_be_empty: bool = False) -> B:
    """What the request says. Raises Refused: 415 for another content type, 413 for too much, 400 for another form."""
    # Any site can make a browser send a form or plain text to this machine; JSON it has to ask leave for.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "send JSON with the header Content-Type: application/json")
    body = b""
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise Refused(413, f"too long; send at most {MOST_BYTES} bytes")
    try:
        given = {} if may_be_empty and not body else json.loads(body, parse_constant=_refuse)
        return kind.model_validate(given)
    except ValidationError as exc:
        raise Refused(400, f"{_problems(exc)}; write {example}") from exc
    except (ValueError, RecursionError) as exc:
        raise Refused(400, f"not JSON; write {example}") from exc


def _problems(error: ValidationError) -> str:
    found = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors(include_url=False)]
    return "; ".join(f"{where}: {text}" if where else text for where, text in found[:NAMED_PROBLEMS])


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")
