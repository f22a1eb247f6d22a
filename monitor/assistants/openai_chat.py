"""An assistant behind an OpenAI-compatible `/chat/completions`, whole or streamed.

The server is taken to be stateless: each request carries the whole conversation. Knows nothing of limits, budgets
and kill switches (see `limits`), nor of who plays the user.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from monitor.assistants.chat_answer import ChatAnswer, ChatPieces, error_message, read_completion
from monitor.assistants.contract import ConversationContext, Reply
from monitor.assistants.sse import event_data
from monitor.errors import (
    AssistantFailure,
    AssistantRateLimited,
    AssistantTimeout,
    ConfigError,
    HttpFailure,
    Stopped,
)
from monitor.http import HttpClient, HttpStream, parse_json, retry_after_seconds
from monitor.redact import Redactor
from monitor.text import fold_whitespace, printable, without_surrogates
from monitor.transcript import EndReason

_PATH = "/chat/completions"
_SHORTEST_PAUSE_SECONDS = 1.0
_REFUSAL_BYTES = 4000  # of the body of an error; more would not be shown


class OpenAiChatAssistant:
    """One endpoint. Owns `http`: closing the assistant closes it.

    `url` is the endpoint itself (a path that ends in `/chat/completions`, with a query if it needs one) or the address
    that the path is appended to (`https://host/v1`). `extra_body` is merged over the request (a None takes a field
    away, e.g. `stream_options` or `user` for servers that refuse them); it cannot replace the messages.

    A 429 is tried again, `tries_429` requests in all, after what Retry-After says or 1, 2, ... seconds, as long as the
    pauses of one turn fit into `turn_timeout_seconds` and before the deadline of the conversation. Nothing else is
    tried again: a fault that a user would have seen is a finding.
    """

    def __init__(
        self,
        name: str,
        http: HttpClient,
        url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        turn_timeout_seconds: float = 60.0,
        system_prompt: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        tries_429: int = 3,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Raises ConfigError for a URL or a header that cannot be sent."""
        self.name = name
        self._http = http
        self._url = endpoint(url)
        self._headers = {**({"Authorization": f"Bearer {api_key}"} if api_key else {}), **(headers or {})}
        _refuse_unsendable(self._headers)
        self._body = {"model": model, **_streaming(stream)}
        self._extra_body = dict(extra_body or {})
        self._turn_timeout_seconds = turn_timeout_seconds
        self._system_prompt = system_prompt
        self._tries_429 = max(1, tries_429)
        self._sleep = sleep
        # Details are cut short, and half a secret could not be recognised any more later on.
        self._redactor = Redactor(secrets={"api_key": api_key or ""})

    async def open(self, context: ConversationContext) -> OpenAiChatSession:
        """Begin a conversation; nothing is sent yet."""
        return OpenAiChatSession(self, context, self._system_prompt)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def complete(self, messages: list[dict[str, str]], context: ConversationContext) -> Reply:
        """The answer to a whole conversation. Raises what `AssistantSession.send` raises."""
        paused_seconds = 0.0
        for earlier in range(self._tries_429):
            try:
                return await self._ask(messages, context)
            except AssistantRateLimited as limited:
                asked = limited.retry_after_seconds
                pause_seconds = max(_SHORTEST_PAUSE_SECONDS, asked if asked is not None else 2.0**earlier)
                paused_seconds += pause_seconds
                is_too_long = paused_seconds > self._turn_timeout_seconds or pause_seconds >= _left_seconds(context)
                if earlier + 1 >= self._tries_429 or is_too_long:
                    raise
                await self._sleep(pause_seconds)
        raise AssertionError("the last try returns or raises")

    async def _ask(self, messages: list[dict[str, str]], context: ConversationContext) -> Reply:
        left_seconds = _left_seconds(context)
        if left_seconds <= 0:
            raise Stopped(EndReason.CHECK_DEADLINE, "no time was left to ask the assistant")
        body = {**self._body, "user": f"assistant-monitor:{context.suite}", **self._extra_body}
        exchange = self._http.stream(
            "POST",
            self._url,
            deadline_seconds=min(self._turn_timeout_seconds, left_seconds),
            headers={**self._headers, **_synthetic(context)},
            json={**{name: value for name, value in body.items() if value is not None}, "messages": messages},
        )
        try:
            async with exchange as stream:
                if not 200 <= stream.status < 300:
                    raise await self._refusal(stream)
                if stream.headers.get("content-type", "").lower().startswith("text/event-stream"):
                    return await _read_events(stream)
                return await _read_whole(stream)
        except HttpFailure as failure:
            raise self._translate(failure, is_turn=self._turn_timeout_seconds <= left_seconds) from failure

    async def _refusal(self, stream: HttpStream) -> AssistantFailure:
        body = bytearray()
        with suppress(HttpFailure):  # the status is known, and says more than a broken body
            async for chunk in stream:
                body += chunk
                if len(body) >= _REFUSAL_BYTES:
                    break
        said = self._redactor.redact(_said(bytes(body[:_REFUSAL_BYTES])))
        detail = printable(f"HTTP {stream.status}: {said}" if said else f"HTTP {stream.status}")
        if stream.status == 429:
            return AssistantRateLimited(detail, retry_after_seconds(stream.headers, datetime.now(UTC)))
        return AssistantFailure(EndReason.HTTP_STATUS, detail)

    def _translate(self, failure: HttpFailure, *, is_turn: bool) -> AssistantFailure:
        detail = self._redactor.redact(failure.detail)
        if failure.kind == "deadline":
            reason = EndReason.TURN_DEADLINE if is_turn else EndReason.CONVERSATION_DEADLINE
            return AssistantTimeout(reason, detail)
        return AssistantFailure(EndReason(failure.kind), detail)


class OpenAiChatSession:
    """One conversation: the messages so far. Not to be used by two tasks at once."""

    def __init__(self, assistant: OpenAiChatAssistant, context: ConversationContext, system_prompt: str | None) -> None:
        self._assistant = assistant
        self._context = context
        self._messages = [{"role": "system", "content": system_prompt}] if system_prompt else []

    async def send(self, text: str) -> Reply:
        """Say something as the user and wait for the answer. Raises as `AssistantSession.send` says."""
        asked = [*self._messages, {"role": "user", "content": without_surrogates(text)}]
        reply = await self._assistant.complete(asked, self._context)
        self._messages = [*asked, {"role": "assistant", "content": reply.text}]
        return reply

    async def close(self) -> None:
        """Forget the messages."""
        self._messages = []


def endpoint(url: str) -> str:
    """The address to post to, from the endpoint itself or the address it lies under. Raises ConfigError."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError as exc:
        raise ConfigError([f"assistant url: {exc}"]) from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError([f"assistant url: {printable(url)!r} is not an http or https address"])
    path = parts.path.rstrip("/")
    return parts._replace(path=path if path.endswith(_PATH) else path + _PATH, fragment="").geturl()


def _refuse_unsendable(headers: Mapping[str, str]) -> None:
    problems = [
        f"assistant header {printable(name)!r}: line breaks, control and non-ASCII characters cannot be sent"
        for name, value in headers.items()
        if not (name.isascii() and name.isprintable() and value.isascii() and value.isprintable())
    ]
    if problems:
        raise ConfigError(problems)


def _streaming(stream: bool) -> dict[str, object]:
    return {"stream": True, "stream_options": {"include_usage": True}} if stream else {"stream": False}


def _synthetic(context: ConversationContext) -> dict[str, str]:
    return {"X-Synthetic-Monitor": "assistant-monitor", "X-Synthetic-Conversation": context.conversation_id}


def _left_seconds(context: ConversationContext) -> float:
    return float("inf") if context.deadline is None else context.deadline - asyncio.get_running_loop().time()


def _reply(answer: ChatAnswer, latency_seconds: float, first_token_seconds: float | None) -> Reply:
    return Reply(
        text=answer.text,
        latency_seconds=latency_seconds,
        first_token_seconds=first_token_seconds,
        usage=answer.usage,
        tool_calls=answer.tool_calls,
        finish_reason=answer.finish_reason,
    )


async def _read_events(stream: HttpStream) -> Reply:
    pieces, first_token_seconds, is_done = ChatPieces(), None, False
    async for data in event_data(stream):
        if data.strip() == "[DONE]":
            is_done = True
            break
        pieces.add(parse_json(data))
        if first_token_seconds is None and pieces.has_text:
            first_token_seconds = stream.elapsed_seconds()
    latency_seconds = stream.elapsed_seconds()
    return _reply(pieces.finish(done=is_done), latency_seconds, first_token_seconds)


async def _read_whole(stream: HttpStream) -> Reply:
    body = b"".join([chunk async for chunk in stream])
    latency_seconds = stream.elapsed_seconds()
    if not body.strip():
        raise AssistantFailure(EndReason.EMPTY, f"HTTP {stream.status} with an empty body")
    try:
        document = parse_json(body)
    except HttpFailure as failure:
        kind = stream.headers.get("content-type", "no content type")
        raise AssistantFailure(
            EndReason.MALFORMED, printable(f"HTTP {stream.status}, {kind}: {failure.detail}")
        ) from failure
    return _reply(read_completion(document), latency_seconds, None)


def _said(body: bytes) -> str:
    """What the body of an error says, without a web page's markup."""
    try:
        message = error_message(parse_json(body))
    except HttpFailure:
        message = ""
    text = body.decode("utf-8", "replace")
    return message or ("a web page" if "<html" in text.lower() else fold_whitespace(text))
