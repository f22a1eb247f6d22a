"""Living next to production: any assistant, with bounds on how much, how often and whether it is talked to at all.

Time spent waiting for these bounds is ours. It is in no latency, and a deadline that passes meanwhile ends the
conversation as `check_deadline` (ours), never as the assistant's timeout. If the deadline passes in a request, the
assistant is blamed unless our waits took more of this conversation than its answers did.
Knows no protocol: a 429 that the assistant's client tries again within one `send` counts as one request here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from monitor.assistants.budget import UNLIMITED, Allowance, Budget, Spent, estimated_tokens, used_tokens
from monitor.assistants.contract import Assistant, AssistantSession, ConversationContext, Reply
from monitor.assistants.pace import Pace
from monitor.errors import AssistantTimeout, Stopped
from monitor.transcript import EndReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds for one assistant: requests in flight, requests per second (None: any), budgets."""

    max_concurrent: int = 8
    requests_per_second: float | None = None
    per_check: Allowance = UNLIMITED
    per_day: Allowance = UNLIMITED


class KillSwitch:
    """Stops requests while `enabled` is False, a file exists (or cannot be looked for) or a callable says so."""

    def __init__(
        self, *, enabled: bool = True, file: Path | None = None, is_stopped: Callable[[], bool] | None = None
    ) -> None:
        self.enabled = enabled
        self._file = file
        self._is_stopped = is_stopped

    def refuse_if_thrown(self) -> None:
        """Raises Stopped("kill_switch")."""
        if not self.enabled:
            raise Stopped(EndReason.KILL_SWITCH, "the assistant is disabled")
        if self._is_stopped is not None and self._is_stopped():
            raise Stopped(EndReason.KILL_SWITCH, "stopped by request")
        if self._file is not None and _may_exist(self._file):
            raise Stopped(EndReason.KILL_SWITCH, f"the file {self._file.name} is there")


def _may_exist(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:
        return True


class LimitedAssistant:
    """`inner` behind its limits; one object for all checks that talk to it. `spent_today`: by earlier processes."""

    def __init__(
        self,
        inner: Assistant,
        limits: Limits,
        *,
        switch: KillSwitch | None = None,
        spent_today: Spent | None = None,
        clock: Callable[[], float] = time.monotonic,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.switch = switch or KillSwitch()
        self.clock = clock
        self.budget = Budget(
            per_check=limits.per_check, per_day=limits.per_day, utc_now=utc_now, spent_today=spent_today
        )
        self._inner = inner
        self._slots = asyncio.Semaphore(limits.max_concurrent)
        self._pace = Pace(limits.requests_per_second, clock) if limits.requests_per_second is not None else None
        self._sleep = sleep

    @property
    def name(self) -> str:
        """The inner assistant's."""
        return self._inner.name

    async def open(self, context: ConversationContext) -> LimitedSession:
        """Begin a conversation. Raises Stopped("kill_switch") and what the inner assistant raises."""
        self.switch.refuse_if_thrown()
        return LimitedSession(self, await self._inner.open(context), context)

    async def aclose(self) -> None:
        """Close the inner assistant."""
        await self._inner.aclose()

    @asynccontextmanager
    async def admitted(self, context: ConversationContext) -> AsyncIterator[None]:
        """One place among the requests in flight, taken when the pace, the switch and the budget allow it too.

        Raises Stopped with kill_switch or budget, or with check_deadline when the wait was too long.
        """
        self.switch.refuse_if_thrown()
        try:
            async with asyncio.timeout_at(context.deadline):
                await self._slots.acquire()
        except TimeoutError as exc:
            raise _too_late() from exc
        try:
            await self._keep_pace(context)
            self.switch.refuse_if_thrown()
            self.budget.take_request(context.check_id)
            yield
        finally:
            self._slots.release()

    async def _keep_pace(self, context: ConversationContext) -> None:
        if self._pace is None:
            return
        now = asyncio.get_running_loop().time()
        left_seconds = float("inf") if context.deadline is None else context.deadline - now
        wait_seconds = self._pace.reserve(within_seconds=left_seconds)
        if wait_seconds is None:
            raise _too_late()
        if wait_seconds > 0:
            await self._sleep(wait_seconds)


class LimitedSession:
    """One conversation within the limits."""

    def __init__(self, limited: LimitedAssistant, inner: AssistantSession, context: ConversationContext) -> None:
        self._limited = limited
        self._inner = inner
        self._context = context
        self._said_tokens = 0
        self._waited_seconds = 0.0
        self._answering_seconds = 0.0

    async def send(self, text: str) -> Reply:
        """Wait for admission, then send. Raises as `AssistantSession.send` says."""
        clock = self._limited.clock
        came = clock()
        async with self._limited.admitted(self._context):
            went = clock()
            self._waited_seconds += went - came
            try:
                return await self._exchange(text)
            except AssistantTimeout as exc:
                answering_seconds = self._answering_seconds + clock() - went
                if exc.reason == EndReason.CONVERSATION_DEADLINE and self._waited_seconds > answering_seconds:
                    raise _too_late() from exc
                raise
            finally:
                self._answering_seconds += clock() - went

    async def close(self) -> None:
        """Close the inner conversation."""
        await self._inner.close()

    async def _exchange(self, text: str) -> Reply:
        """Send and count the tokens; a prompt that got no answer was still read, as far as we know."""
        self._said_tokens += estimated_tokens(text)
        budget, check_id, prompt = self._limited.budget, self._context.check_id, self._said_tokens
        try:
            reply = await self._inner.send(text)
        except BaseException:
            budget.add_tokens(check_id, prompt)
            raise
        said = estimated_tokens(reply.text)
        self._said_tokens += said
        budget.add_tokens(check_id, used_tokens(reply.usage, prompt_estimate=prompt, completion_estimate=said))
        return reply


def _too_late() -> Stopped:
    return Stopped(EndReason.CHECK_DEADLINE, "the time was spent waiting for our own limits on the assistant")
