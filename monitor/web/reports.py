"""`POST /api/v1/tool-calls`: an assistant's backend tells which tool was called in a conversation of the monitor's.

Whether there is such a conversation is not asked: calls come while it goes on, which is stored at its end.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar
from uuid import uuid4

from pydantic import Field, JsonValue
from starlette.concurrency import run_in_threadpool

from monitor.transcript import Receipt, ReportedCall, ToolCall
from monitor.web.answers import Answer
from monitor.web.api.endpoint import V1, Call, Endpoint
from monitor.web.api.queries import Query
from monitor.web.bodies import Body, Refused

PATH = f"{V1}/tool-calls"
_REFUSALS = {
    Receipt.TOO_MANY: "this conversation has too many reported calls already",
    Receipt.DIFFERS: "another call of this conversation was reported with this id; give each call an id of its own",
}


class Report(Body):
    """One tool call that was made in a conversation."""

    EXAMPLE: ClassVar[str] = (
        '{"conversation_id": "...", "name": "...", "arguments": {}, "result": "...", "is_error": false, "id": "..."}, '
        "of which the last three may be left out"
    )

    conversation_id: str = Field(min_length=1, max_length=200)
    name: str = Field(min_length=1, max_length=200)
    arguments: dict[str, JsonValue]
    result: JsonValue = None
    is_error: bool = False
    id: str | None = Field(default=None, min_length=1, max_length=200)


class TakenAnswer(Answer):
    """The report was taken, now or before."""

    taken: bool


class ToolCallReports:
    """Takes reports and hands them to `save`, redacted. A report that is sent again, by its id, is taken again."""

    def __init__(
        self, save: Callable[[ReportedCall], Receipt], redact: Callable[[str], str], clock: Callable[[], datetime]
    ) -> None:
        self._save = save
        self._redact = redact
        self._clock = clock

    def endpoint(self) -> Endpoint[Query, Report, TakenAnswer]:
        """Where reports are taken. 409: one too many, or its id is another's."""
        return Endpoint(
            method="POST",
            path=PATH,
            name="report_tool_call",
            summary="Report a tool call that was made in a conversation of the monitor's.",
            query=Query,
            body=Report,
            answer=TakenAnswer,
            work=self._take,
            status=202,
            may_conflict=True,
        )

    async def _take(self, call: Call[Query, Report]) -> TakenAnswer:
        receipt = await run_in_threadpool(self._save, self._reported(call.body))
        if why := _REFUSALS.get(receipt):
            raise Refused(409, why)
        return TakenAnswer(taken=True)

    def _reported(self, report: Report) -> ReportedCall:
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
