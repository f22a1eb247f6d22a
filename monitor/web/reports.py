"""`POST /api/v1/tool-calls`: an assistant's backend tells which tool was called in a conversation of the monitor's.

Whether there is such a conversation is not asked: calls come while it goes on, which is stored at its end.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from pydantic import Field, JsonValue
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitor.errors import StoreFailure
from monitor.transcript import Receipt, ReportedCall, ToolCall
from monitor.web.bodies import Body, Refused, away, read_body, refusal

PATH = "/api/v1/tool-calls"
EXAMPLE = (
    '{"conversation_id": "...", "name": "...", "arguments": {}, "result": "...", "is_error": false, "id": "..."}, '
    "of which the last three may be left out"
)

_REFUSALS = {
    Receipt.TOO_MANY: "this conversation has too many reported calls already",
    Receipt.DIFFERS: "another call of this conversation was reported with this id; give each call an id of its own",
}


class _Report(Body):
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
            report = await read_body(request, _Report, EXAMPLE)
            receipt = await run_in_threadpool(self._save, self._reported(report))
        except Refused as refused:
            return refusal(refused.status, refused.error)
        except StoreFailure:
            return away()
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
