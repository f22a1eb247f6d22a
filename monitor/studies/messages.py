"""Conversations from elsewhere: OpenAI-style messages become a transcript. Knows nothing of files and scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.scorers.tool_calls import says_error
from monitor.text import printable
from monitor.transcript import EndReason, Role, ToolCall, Transcript, Turn

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
"""Where the text of a part is, by its type."""
KINDS_CHARACTERS = 100
ENDS = {"user_ended": EndReason.USER_ENDED, "max_turns": EndReason.MAX_TURNS}


class Unreadable(ValueError):
    """Raised when a value is not what the format asks for; the text says where, and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A transcript, and for each of its turns the index of the message that it is made from."""

    transcript: Transcript
    messages: tuple[int, ...]


def read_messages(messages: object, *, at: datetime, end: object = "user_ended") -> Foreign:
    """The transcript of OpenAI-style messages; they carry no times, so every turn has `at`.

    Messages of the roles system and developer are left out. Tool calls without text join the assistant's next text.
    Each call has the next tool message of its id, which may repeat. Raises Unreadable.
    """
    if not isinstance(end, str) or end not in ENDS:
        raise Unreadable(f"end: write one of {', '.join(ENDS)}")
    if not isinstance(messages, list) or not messages:
        raise Unreadable('messages: write a list of {"role", "content"}, at least one')
    read = [_checked(message, f"messages[{index}]") for index, message in enumerate(messages)]
    turns, places = _turns(read, at)
    if not any(turn.role is Role.ASSISTANT for turn in turns):
        raise Unreadable("messages: the assistant says nothing, so there is nothing to score; add its messages")
    reason = ENDS[end]
    transcript = Transcript(turns=tuple(turns), end=reason, outcome=reason.outcome, started_at=at, finished_at=at)
    return Foreign(transcript=transcript, messages=tuple(places))


def _checked(message: object, where: str) -> Mapping[str, object]:
    if not isinstance(message, dict):
        raise Unreadable(f"{where}: write an object with role and content")
    if message.get("role") not in ROLES:
        raise Unreadable(f"{where}.role: write one of {', '.join(ROLES)}")
    if message.get("function_call") is not None:
        raise Unreadable(
            f'{where}.function_call: is the old form of a call; write tool_calls: [{{"id", "function": {{"name", '
            '"arguments"}}], and its result as a message of the role tool with tool_call_id'
        )
    text, refusal = _text(message.get("content"), f"{where}.content"), _refusal(message, where)
    return {**message, "text": text if text.strip() else refusal or text, "where": where}


def _refusal(message: Mapping[str, object], where: str) -> str:
    """What an assistant said instead of an answer, which OpenAI puts beside an empty content."""
    refusal = message.get("refusal")
    if refusal is not None and not isinstance(refusal, str):
        raise Unreadable(f"{where}.refusal: write text or null")
    return refusal or ""


def _turns(messages: Sequence[Mapping[str, object]], at: datetime) -> tuple[list[Turn], list[int]]:
    turns: list[Turn] = []
    places: list[int] = []
    waiting: list[ToolCall] = []
    for index, message in enumerate(messages):
        role, text = message["role"], str(message["text"])
        if role == "user":
            _flush(turns, places, waiting, index, at)
            turns.append(Turn(role=Role.USER, text=text, at=at))
            places.append(index)
        elif role == "assistant":
            calls = _calls(messages, index)
            if text.strip() or not calls:
                turns.append(Turn(role=Role.ASSISTANT, text=text, at=at, tool_calls=(*waiting, *calls)))
                places.append(index)
                waiting.clear()
            else:
                waiting += calls
    _flush(turns, places, waiting, len(messages) - 1, at)
    return turns, places


def _flush(turns: list[Turn], places: list[int], waiting: list[ToolCall], index: int, at: datetime) -> None:
    """Calls that no text followed belong to what the assistant said last, or are a turn without a text."""
    if not waiting:
        return
    if turns and turns[-1].role is Role.ASSISTANT:
        turns[-1] = replace(turns[-1], tool_calls=(*turns[-1].tool_calls, *waiting))
    else:
        turns.append(Turn(role=Role.ASSISTANT, text="", at=at, tool_calls=tuple(waiting)))
        places.append(index)
    waiting.clear()


def _calls(messages: Sequence[Mapping[str, object]], index: int) -> list[ToolCall]:
    """The calls of one message, each with its result."""
    given, where = messages[index].get("tool_calls"), f"{messages[index]['where']}.tool_calls"
    if given is None:
        return []
    if not isinstance(given, list):
        raise Unreadable(f'{where}: write a list of {{"id", "function": {{"name", "arguments"}}}}')
    return [_call(call, f"{where}[{number}]", messages[index + 1 :]) for number, call in enumerate(given)]


def _call(call: object, where: str, later: Sequence[Mapping[str, object]]) -> ToolCall:
    function = call.get("function") if isinstance(call, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict) or not isinstance(name, str):
        raise Unreadable(f'{where}: write {{"id", "function": {{"name", "arguments"}}}}')
    arguments = function.get("arguments", "{}")
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    answer = next((m for m in later if m["role"] == "tool" and m.get("tool_call_id") == call.get("id")), None)
    if answer is None:
        return ToolCall(name=name, arguments=arguments)
    result = str(answer["text"])
    return ToolCall(
        name=name, arguments=arguments, result=result, is_error=answer.get("is_error") is True or says_error(result)
    )


def _text(content: object, where: str) -> str:
    """Plain text, or the text parts of a list of parts; of parts that hold no text there is nothing to score."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        kinds = [str(part.get("type", "text")) for part in content]
        pairs = zip(kinds, content, strict=True)
        texts = [part.get(TEXT_PARTS[kind], "") for kind, part in pairs if kind in TEXT_PARTS]
        if content and not texts:
            there = printable(", ".join(sorted(set(kinds))), KINDS_CHARACTERS)
            raise Unreadable(f"{where}: has no text in it (only {there}); add a part of the type text, or leave it out")
        if all(isinstance(text, str) for text in texts):
            return "\n".join(texts)
    raise Unreadable(f"{where}: write text, null, or a list of parts of the type text")
