"""`POST /api/v1/tool-calls`: an assistant's backend tells which tool was called in a conversation of the monitor's.

Whether there is such a conversation is not asked: calls come while it goes on, which is stored at its end.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from monitor.errors import StoreFailure
from monitor.transcript import Receipt, ReportedCall, ToolCall

API = "/api/"
PATH = "/api/v1/tool-calls"
MOST_BYTES = 65_536
EXAMPLE = (
    '{"conversation_id": "...", "name": "...", "arguments": {}, "result": "...", "is_error": false, "id": "..."}, '
    "of which the last three may be left out"
)

_REFUSALS = {
    Receipt.TOO_MANY: "this conversation has too many reported calls already",
    Receipt.DIFFERS: "another call of this conversation was reported with this id; give each call an id of its own",
}


class _Refused(Exception):
    """Raised when a request is no report; says what would be one."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class _Report(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    conversation_id: str = Field(min_length=1, max_length=200)
    name: str = Field(min_length=1, max_length=200)
    arguments: dict[str, JsonValue]
    result: JsonValue = None
    is_error: bool = False
    id: str | None = Field(default=None, min_length=1, max_length=200)


class ToolCallReports:
    """Takes reports and hands them to `save`, redacted. A report that is sent again, by its id, is taken again."""

    def __init__(
        self, save: Callable[[ReportedCall], Receipt], redact: Callable[[str], str], clock: Callable[[], datetime]
    ) -> None:
        self._save = save
        self._redact = redact
        self._clock = clock

    async def take(self, request: Request) -> Response:
        """One report. 202: taken; 400, 413, 415: not one; 409: one too many, or its id is another's; 503: no
        database.
        """
        try:
            report = await _read(request)
            receipt = await run_in_threadpool(self._save, self._reported(report))
        except _Refused as refused:
            return refusal(refused.status, refused.error)
        except StoreFailure:
            return JSONResponse({"error": "the database is away"}, status_code=503, headers={"retry-after": "30"})
        if why := _REFUSALS.get(receipt):
            return refusal(409, why)
        return JSONResponse({"taken": True}, status_code=202)

    def _reported(self, report: _Report) -> ReportedCall:
        result = report.result
        if result is not None and not isinstance(result, str):
            result = json.dumps(result, ensure_ascii=False)
        return ReportedCall(
            conversation_id=report.conversation_id,
            id=report.id or uuid4().hex,
            at=self._clock(),
            call=ToolCall(
                name=self._redact(report.name),
                arguments=self._redact(json.dumps(report.arguments, ensure_ascii=False)),
                result=None if result is None else self._redact(result),
                is_error=report.is_error,
                was_reported=True,
            ),
        )


def refusal(status: int, error: str) -> Response:
    """A refusal for programs."""
    return JSONResponse({"error": error}, status_code=status)


async def _read(request: Request) -> _Report:
    """What the request reports. Raises _Refused."""
    # Any site can make a browser send a form or plain text to this machine; JSON it has to ask leave for.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _Refused(415, "send JSON with the header Content-Type: application/json")
    body = b""
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                raise _Refused(413, f"too long; send at most {MOST_BYTES} bytes")
    try:
        return _Report.model_validate(json.loads(body, parse_constant=_refuse))
    except ValidationError as exc:
        raise _Refused(400, f"{_problems(exc)}; write {EXAMPLE}") from exc
    except (ValueError, RecursionError) as exc:
        raise _Refused(400, f"not JSON; write {EXAMPLE}") from exc


def _problems(error: ValidationError) -> str:
    found = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors(include_url=False)]
    return "; ".join(f"{where}: {text}" if where else text for where, text in found[:5])


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")
