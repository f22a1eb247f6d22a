"""The server of a judge: any OpenAI-compatible chat completions, asked within bounds of time, number and money.

Knows no questions and no transcripts: it is given a body, and a function that reads the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from json import dumps
from time import monotonic
from typing import Any, Generic, TypeVar

from monitor.assistants.budget import UNLIMITED, Allowance, Budget, estimated_tokens, used_tokens
from monitor.assistants.chat_answer import error_message, usage_of
from monitor.assistants.openai_chat import endpoint
from monitor.errors import HttpFailure, JudgeFailure, JudgeRefused, Stopped
from monitor.http import HttpClient, HttpResponse, retry_after_seconds
from monitor.judge_usage import JudgeUsage
from monitor.redact import Redactor
from monitor.score import JudgeResult
from monitor.text import fold_whitespace, printable
from monitor.transcript import Usage

TRIES = 3
SHORTEST_PAUSE_SECONDS = 1.0
PASSING_STATUSES = frozenset({408, 409, 425})
BUSY = 429
PASSING_FAILURES = frozenset({"connection_failed", "dns_failed"})
UNREADABLE_FAILURES = frozenset({"too_large", "malformed"})
NOT_STATED = Usage()

T = TypeVar("T")
Observe = Callable[[JudgeResult, float, JudgeUsage | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What a million tokens cost, in one currency."""

    prompt_per_million: float
    completion_per_million: float

    def cost(self, usage: Usage) -> float | None:
        """Of one answer; None where the server did not state its tokens."""
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        prompt = usage.prompt_tokens * self.prompt_per_million
        return (prompt + usage.completion_tokens * self.completion_per_million) / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Generic[T]):
    """What a request brought: a value, or the `problem` with an answer that cannot be used. Both have their price."""

    value: T | None
    usage: JudgeUsage
    problem: str = ""


class _Failed(Exception):
    """One request that brought no answer. `is_passing`: another try may bring one."""

    def __init__(
        self, result: JudgeResult, detail: str, *, is_passing: bool = False, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(detail)
        self.result = result
        self.is_passing = is_passing
        self.retry_after_seconds = retry_after_seconds

    def failure(self) -> JudgeFailure:
        """What the caller is told."""
        kind = JudgeRefused if self.result is JudgeResult.REFUSED else JudgeFailure
        return kind(f"the judge did not answer: {self}")


class JudgeServer:
    """One endpoint. Owns `http`: closing the server closes it. Belongs to one event loop.

    `url` is the endpoint itself or the address that it lies under. `timeout_seconds` bounds a request with its further
    tries and the pauses between them; waiting for one of `concurrency` places does not count. `extra_body` is merged
    over every request; a None takes a field away. `observe` hears of every request: what came of it, its seconds, and
    its usage where it was answered.
    """

    def __init__(
        self,
        http: HttpClient,
        url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout_seconds: float = 60.0,
        concurrency: int = 8,
        per_day: Allowance = UNLIMITED,
        prices: Prices | None = None,
        observe: Observe = lambda _result, _seconds, _usage: None,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Raises ConfigError for a URL that cannot be posted to."""
        self._http = http
        self._url = endpoint(url)
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._body = {"model": model} if model else {}
        self._extra_body = dict(extra_body or {})
        self._timeout_seconds = timeout_seconds
        self._slots = asyncio.Semaphore(concurrency)
        self._budget = Budget(per_check=UNLIMITED, per_day=per_day, utc_now=utc_now)
        self._prices = prices
        self._observe = observe
        self._utc_now = utc_now
        self._sleep = sleep
        # What a server says may echo the key, and details are cut short: half a key is recognised nowhere.
        self._redactor = Redactor(secrets={"api_key": api_key or ""})

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask(self, body: Mapping[str, Any], read: Callable[[object], T]) -> Said[T]:
        """The answer to a request as `read` understands its document; a ValueError of `read` is a problem told.

        Raises JudgeFailure, JudgeRefused where the server refuses the request (4xx).
        """
        sent = {**self._body, **body, **self._extra_body}
        sent = {name: value for name, value in sent.items() if value is not None}
        async with self._slots:
            deadline = monotonic() + self._timeout_seconds
            for earlier in range(TRIES):
                try:
                    return await self._try(sent, read, deadline)
                except _Failed as failed:
                    asked = failed.retry_after_seconds
                    pause_seconds = max(SHORTEST_PAUSE_SECONDS, asked if asked is not None else 2.0**earlier)
                    is_too_late = earlier + 1 >= TRIES or monotonic() + pause_seconds >= deadline
                    if not failed.is_passing or is_too_late:
                        raise failed.failure() from failed
                    await self._sleep(pause_seconds)
        raise AssertionError("the last try returns or raises")

    async def _try(self, body: Mapping[str, Any], read: Callable[[object], T], deadline: float) -> Said[T]:
        """One request, counted. Raises _Failed."""
        began = monotonic()
        try:
            self._take_request()
            said = await self._exchange(body, read, deadline - began)
        except _Failed as failed:
            self._observe(failed.result, monotonic() - began, None)
            raise
        result = JudgeResult.UNUSABLE if said.value is None else JudgeResult.OK
        self._observe(result, monotonic() - began, said.usage)
        return said

    def _take_request(self) -> None:
        try:
            self._budget.take_request("")
        except Stopped as exc:
            raise _Failed(JudgeResult.BUDGET, f"its budget is spent: {exc.detail}") from exc

    async def _exchange(self, body: Mapping[str, Any], read: Callable[[object], T], seconds: float) -> Said[T]:
        prompt_estimate = estimated_tokens(dumps(body))
        try:
            response = await self._http.request(
                "POST", self._url, deadline_seconds=seconds, headers=self._headers, json=body
            )
        except asyncio.CancelledError:
            self._count(NOT_STATED, prompt_estimate, 0)
            raise
        except HttpFailure as exc:
            self._count(NOT_STATED, prompt_estimate, 0)  # it may have been read all the same
            detail = self._redactor.redact(str(exc))
            if exc.kind in UNREADABLE_FAILURES:
                return Said(value=None, usage=self._usage(NOT_STATED), problem=detail)
            result = JudgeResult.TIMEOUT if exc.kind == "deadline" else JudgeResult.UNREACHABLE
            raise _Failed(result, detail, is_passing=exc.kind in PASSING_FAILURES) from exc
        if response.status != 200:
            raise self._refusal(response)
        return self._read(response, read, prompt_estimate)

    def _read(self, response: HttpResponse, read: Callable[[object], T], prompt_estimate: int) -> Said[T]:
        usage, value, problem = NOT_STATED, None, ""
        try:
            document = response.json()
            usage = (usage_of(document.get("usage")) if isinstance(document, dict) else None) or NOT_STATED
            value = read(document)
        except (HttpFailure, ValueError) as exc:
            problem = printable(self._redactor.redact(str(exc)))
        self._count(usage, prompt_estimate, estimated_tokens(response.text()))
        return Said(value=value, usage=self._usage(usage), problem=problem)

    def _refusal(self, response: HttpResponse) -> _Failed:
        try:
            said = error_message(response.json())
        except HttpFailure:
            said = ""
        said = self._redactor.redact(said or fold_whitespace(response.text()[:1000]))
        detail = printable(f"HTTP {response.status}: {said}")
        asked = retry_after_seconds(response.headers, self._utc_now())
        if response.status == BUSY:
            return _Failed(JudgeResult.RATE_LIMITED, detail, is_passing=True, retry_after_seconds=asked)
        if response.status >= 500 or response.status in PASSING_STATUSES:
            return _Failed(JudgeResult.SERVER_ERROR, detail, is_passing=True, retry_after_seconds=asked)
        return _Failed(JudgeResult.REFUSED, detail)

    def _count(self, usage: Usage, prompt_estimate: int, completion_estimate: int) -> None:
        tokens = used_tokens(usage, prompt_estimate=prompt_estimate, completion_estimate=completion_estimate)
        self._budget.add_tokens("", tokens)

    def _usage(self, usage: Usage) -> JudgeUsage:
        return JudgeUsage(
            calls=1,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost=self._prices.cost(usage) if self._prices else None,
        )
