"""Forms that people send from a page: bounded, and from our own pages only.

Knows no page; says what is wrong in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect, Request

from monitor.web.bodies import Refused

MOST_BYTES = 65_536
MOST_FIELDS = 50
FORM = "application/x-www-form-urlencoded"
FOREIGN = "this form was sent from a page of another site; open it here and send it again"


class Form(BaseModel):
    """What a form may say. White space around what was typed means nothing."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True, hide_input_in_errors=True, allow_inf_nan=False)


F = TypeVar("F", bound=Form)


async def read_form(request: Request, site: str) -> dict[str, str]:
    """What was typed, by field; of a field that is there twice the last. `site` is the host and port by which people
    know these pages, where a proxy writes another one into Host.

    Raises Refused: 403 where another site's page sent it, 415 for another content type, 413 for too much.
    """
    if not _is_ours(request, site):
        raise Refused(403, FOREIGN)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Refused(415, "send the form as a browser does")
    body = b""
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise Refused(413, f"too long; a form may have {MOST_BYTES} bytes")
    try:
        return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as exc:
        raise Refused(413, f"too many fields; a form may have {MOST_FIELDS}") from exc


def understood(form: type[F], typed: Mapping[str, str]) -> tuple[F | None, dict[str, str]]:
    """The form's values; or None, and what is wrong by field."""
    try:
        return form.model_validate({name: value for name, value in typed.items() if value.strip()}), {}
    except ValidationError as exc:
        return None, {str(one["loc"][0]) if one["loc"] else "": _words(one) for one in exc.errors(include_url=False)}


def _words(problem: ErrorDetails) -> str:
    if problem["type"] == "float_parsing":
        return "is no number; write it like 0.9"
    return "is needed" if problem["type"] == "missing" else problem["msg"].removeprefix("Value error, ").lower()


def _is_ours(request: Request, site: str) -> bool:
    """Whether one of our pages sent it. Browsers say where a request comes from; a program that says nothing carries no
    person's cookie with it.
    """
    relation = request.headers.get("sec-fetch-site")  # not sent over plain HTTP to another machine
    if relation is not None:
        return relation in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] in {request.headers.get("host", ""), site} - {""}
