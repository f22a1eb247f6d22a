"""Reads what an OpenAI-compatible server answers, whole or in pieces. Pure; trusts nothing about its shape.

Knows nothing of HTTP, of time and of retries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from json import dumps
from typing import NoReturn

from monitor.errors import AssistantFailure
from monitor.text import printable, without_surrogates
from monitor.transcript import EndReason, ToolCall, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """One answer. Lone surrogates and NUL are replaced in its text; else it is what the server sent."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str | None
    usage: Usage | None


def read_completion(document: object) -> ChatAnswer:
    """The first choice of a whole completion. Raises AssistantFailure with reason malformed or empty."""
    completion = _object(document, "the body")
    _refuse_error(completion)
    choices = _list(completion.get("choices"), "choices")
    if not choices:
        _malformed("no choices")
    choice = _object(choices[0], "choice")
    message = _object(choice.get("message"), "message")
    calls = [_whole_call(call) for call in _list(message.get("tool_calls") or [], "tool_calls")]
    if message.get("function_call") is not None:
        calls.append(_named_call(message["function_call"]))
    text = _content(message.get("content")) or _string(message.get("refusal"), "refusal")
    return _answer(text, calls, _finish_reason(choice), usage_of(completion.get("usage")))


@dataclass(slots=True)
class _OpenCall:
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class ChatPieces:
    """Puts a streamed completion together, one event at a time."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[int, _OpenCall] = {}
        self._finish_reason: str | None = None
        self._usage: Usage | None = None

    @property
    def has_text(self) -> bool:
        """Whether a piece of text has come."""
        return bool(self._content or self._refusal)

    def add(self, document: object) -> None:
        """Take in the data of one event. Raises AssistantFailure with reason malformed."""
        event = _object(document, "event")
        _refuse_error(event)
        self._usage = usage_of(event.get("usage")) or self._usage
        for entry in _list(event.get("choices") or [], "choices"):
            choice = _object(entry, "choice")
            if choice.get("index", 0) == 0:
                self._add_delta(_object(choice.get("delta") or {}, "delta"))
                self._finish_reason = _finish_reason(choice) or self._finish_reason

    def finish(self, *, done: bool) -> ChatAnswer:
        """The whole answer; `done` says that the server said it was.

        Raises AssistantFailure: malformed when neither `done` nor a finish_reason says that the answer is whole, empty.
        """
        if not done and self._finish_reason is None:
            _malformed("the stream ended before the answer did")
        calls = [_call(call.name, "".join(call.arguments)) for _, call in sorted(self._calls.items())]
        text = "".join(self._content) or "".join(self._refusal)
        return _answer(text, calls, self._finish_reason, self._usage)

    def _add_delta(self, delta: dict[str, object]) -> None:
        for pieces, piece in (
            (self._content, _content(delta.get("content"))),
            (self._refusal, _string(delta.get("refusal"), "refusal")),
        ):
            if piece:
                pieces.append(piece)
        if delta.get("function_call") is not None:
            self._add_call(-1, _object(delta["function_call"], "function"))
        for entry in _list(delta.get("tool_calls") or [], "tool_calls"):
            piece_of_call = _object(entry, "tool call")
            index = piece_of_call.get("index", 0)
            if not isinstance(index, int):
                _malformed("index of a tool call is not a number")
            self._add_call(index, _object(piece_of_call.get("function") or {}, "function"))

    def _add_call(self, index: int, function: dict[str, object]) -> None:
        call = self._calls.setdefault(index, _OpenCall())
        call.name += _string(function.get("name"), "name of a tool")
        call.arguments.append(_string(function.get("arguments"), "arguments of a tool call"))


def error_message(document: object) -> str:
    """The message of an error document, "" where there is none."""
    error = document.get("error") if isinstance(document, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else ""


def _answer(text: str, calls: list[ToolCall], finish_reason: str | None, usage: Usage | None) -> ChatAnswer:
    if not text.strip():
        called = f", only calls of {', '.join(call.name for call in calls)}" if calls else ""
        finished = f" (finish_reason {finish_reason})" if finish_reason else ""
        raise AssistantFailure(EndReason.EMPTY, printable(f"no text{called}{finished}"))
    return ChatAnswer(text=without_surrogates(text), tool_calls=tuple(calls), finish_reason=finish_reason, usage=usage)


def _content(content: object) -> str:
    if not isinstance(content, list):
        return _string(content, "content")
    return "".join(_part(part) for part in content)


def _part(part: object) -> str:
    """The text of one part of a content; parts of other kinds (images, audio) have none."""
    if isinstance(part, str):
        return part
    known = _object(part, "part of the content")
    return _string(known.get("text") or known.get("refusal"), "text of a part")


def _whole_call(entry: object) -> ToolCall:
    return _named_call(_object(entry, "tool call").get("function"))


def _named_call(function: object) -> ToolCall:
    known = _object(function, "function")
    arguments = known.get("arguments")
    if isinstance(arguments, dict):
        arguments = dumps(arguments)
    return _call(_string(known.get("name"), "name of a tool"), _string(arguments, "arguments of a tool call"))


def _call(name: str, arguments: str) -> ToolCall:
    return ToolCall(name=without_surrogates(name), arguments=without_surrogates(arguments))


def _finish_reason(choice: dict[str, object]) -> str | None:
    reason = _string(choice.get("finish_reason"), "finish_reason")
    return printable(reason, 40) or None


def usage_of(usage: object) -> Usage | None:
    """The counts of a `usage` document; None where it states none."""
    if not isinstance(usage, dict):
        return None
    known = Usage(
        prompt_tokens=_count(usage.get("prompt_tokens")), completion_tokens=_count(usage.get("completion_tokens"))
    )
    return None if known == Usage() else known


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return value if is_count and isinstance(value, int) else None


def _refuse_error(document: dict[str, object]) -> None:
    if document.get("error"):
        _malformed(f"an error in place of an answer: {error_message(document)}")


def _object(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        _malformed(f"{name} is not an object")
    return value


def _list(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        _malformed(f"{name} is not a list")
    return value


def _string(value: object, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        _malformed(f"{name} is not a string")
    return value


def _malformed(detail: str) -> NoReturn:
    raise AssistantFailure(EndReason.MALFORMED, printable(detail))
