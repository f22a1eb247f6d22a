"""Tool calls that are reported beside a conversation: waited for, and put where they belong in its transcript.

Knows nothing of databases and HTTP: whoever keeps the reports is a function.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from monitor.intent import Intent, ToolCalls
from monitor.scorers.arguments import Redact, read_arguments
from monitor.scorers.tool_calls import score_tool_calls
from monitor.transcript import Outcome, ReportedCall, Role, ToolCall, Transcript, Turn

POLL_SECONDS = 0.25

Reports = Callable[[str], Awaitable[Sequence[ReportedCall]]]
"""The calls that were reported so far of the conversation with this id, oldest first."""


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
    items that wait hold, each for its own time at most. What an item without expected calls wants is that none come,
    which only the whole of its time shows.
    """
    waiting = [item for item in intent.checklist if isinstance(item, ToolCalls) and item.wait_seconds > 0]
    clock = asyncio.get_running_loop().time
    began = clock()
    while True:
        merged = merge(transcript, await reports(conversation_id))
        left = [
            item.wait_seconds - (clock() - began)
            for item in waiting
            if not (item.calls and score_tool_calls(item, merged, redact).passed)
        ]
        longest = max(left, default=0.0)
        if transcript.outcome is not Outcome.COMPLETED or longest <= 0:
            return merged
        await asyncio.sleep(min(poll_seconds, longest))


def merge(transcript: Transcript, reports: Sequence[ReportedCall]) -> Transcript:
    """Each report on the assistant's turn during which it came. One that tells again what the reply told adds to it."""
    turns = list(transcript.turns)
    said = [place for place, turn in enumerate(turns) if turn.role is Role.ASSISTANT]
    if not said:
        return transcript
    for report in reports:
        place = next((place for place in said if turns[place].at >= report.at), said[-1])
        turns[place] = _added(turns[place], report.call)
    return replace(transcript, turns=tuple(turns))


def _added(turn: Turn, call: ToolCall) -> Turn:
    """The turn with a reported call, in place of the same one without a result that the reply told of."""
    calls = list(turn.tool_calls)
    same = next((place for place, told in enumerate(calls) if not told.was_reported and _is_same(told, call)), None)
    if same is None:
        return replace(turn, tool_calls=(*calls, call))
    told = calls[same]
    calls[same] = replace(
        told,
        result=call.result if told.result is None else told.result,
        is_error=told.is_error or call.is_error,
        was_reported=True,
    )
    return replace(turn, tool_calls=tuple(calls))


def _is_same(told: ToolCall, reported: ToolCall) -> bool:
    if told.name != reported.name:
        return False
    left, right = read_arguments(told.arguments), read_arguments(reported.arguments)
    return told.arguments == reported.arguments if left is None else left == right
