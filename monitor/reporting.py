"""Tool calls that are reported beside a conversation: waited for, and put where they belong in its transcript.

Knows nothing of databases and HTTP: whoever keeps the reports is a function.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from monitor.intent import Intent, ToolCalls
from monitor.json_values import canonical
from monitor.scorers.arguments import Redact, read_arguments
from monitor.scorers.tool_calls import score_tool_calls
from monitor.transcript import Outcome, ReportedCall, Role, ToolCall, Transcript, Turn

POLL_SECONDS = 0.25

Reports = Callable[[str], Awaitable[Sequence[ReportedCall]]]
"""The calls that were reported so far of the conversation with this id, oldest first."""
_Key = tuple[str, str]


class _Place(NamedTuple):
    """Where a reply told of a call."""

    turn: int
    number: int


async def with_reported(
    transcript: Transcript,
    intent: Intent,
    conversation_id: str,
    reports: Reports,
    redact: Redact = str,
    *,
    poll_seconds: float = POLL_SECONDS,
) -> Transcript:
    """The transcript with what was reported. A conversation that is done is waited for as its intent says: until all
    items that wait hold, each for its own time at most. That nothing of an item's `only` is called beyond what it
    expects is shown by the whole of its time alone.
    """
    waiting = [item for item in intent.checklist if isinstance(item, ToolCalls) and item.wait_seconds > 0]
    clock = asyncio.get_running_loop().time
    began = clock()
    while True:
        merged = merge(transcript, await reports(conversation_id), redact)
        left = [
            item.wait_seconds - (clock() - began)
            for item in waiting
            if item.only or not score_tool_calls(item, merged, redact).passed
        ]
        longest = max(left, default=0.0)
        if transcript.outcome is not Outcome.COMPLETED or longest <= 0:
            return merged
        await asyncio.sleep(min(poll_seconds, longest))


def merge(transcript: Transcript, reports: Sequence[ReportedCall], redact: Redact = str) -> Transcript:
    """Each report on the assistant's turn during which it came. One that tells again what a reply told, on that turn or
    on an earlier one, adds to that; the oldest such call that no report has told of yet is taken.
    """
    turns = list(transcript.turns)
    said = [place for place, turn in enumerate(turns) if turn.role is Role.ASSISTANT]
    if not said:
        return transcript
    told, taken = _told(turns, redact), set[_Place]()
    for report in reports:
        last = next((place for place in said if turns[place].at >= report.at), said[-1])
        alike = told.get(_key(report.call.name, report.call.arguments), [])
        same = next((one for one in alike if one.turn <= last and one not in taken), None)
        if same is None:
            turns[last] = replace(turns[last], tool_calls=(*turns[last].tool_calls, report.call))
        else:
            taken.add(same)
            turns[same.turn] = _completed(turns[same.turn], same.number, report.call)
    return replace(transcript, turns=tuple(turns))


def _completed(turn: Turn, number: int, call: ToolCall) -> Turn:
    """The turn with what a report says of the call that its reply told of; a result that the reply told stays."""
    calls = list(turn.tool_calls)
    told = calls[number]
    calls[number] = replace(
        told,
        result=call.result if told.result is None else told.result,
        is_error=told.is_error or call.is_error,
        was_reported=True,
    )
    return replace(turn, tool_calls=tuple(calls))


def _told(turns: Sequence[Turn], redact: Redact) -> dict[_Key, list[_Place]]:
    """Where replies told of a call, oldest first, by all that a report of it may say. A report is JSON that was written
    anew and redacted: what was told is taken as it came, redacted, and written anew and redacted.
    """
    found: dict[_Key, list[_Place]] = {}
    for turn, said in enumerate(turns):
        for number, call in enumerate(said.tool_calls):
            forms = {call.arguments, redact(call.arguments)}
            if (arguments := read_arguments(call.arguments)) is not None:
                forms.add(redact(json.dumps(arguments, ensure_ascii=False)))
            for key in {_key(name, form) for name in (call.name, redact(call.name)) for form in forms}:
                found.setdefault(key, []).append(_Place(turn, number))
    return found


def _key(name: str, arguments: str) -> _Key:
    """What the same calls share: the name, and the arguments as values or, where they are no JSON, as a text."""
    try:
        return name, canonical(json.loads(arguments or "{}"))
    except (ValueError, RecursionError):
        return name, arguments
