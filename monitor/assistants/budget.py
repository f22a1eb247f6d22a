"""What may be spent on an assistant, per check and per day (UTC). Pure bookkeeping in memory.

Usage that a server does not state is estimated and counted, never taken for zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from math import ceil

from monitor.errors import Stopped
from monitor.text import printable
from monitor.transcript import EndReason, Usage

_CHECKS_REMEMBERED = 100
_TOKENS_AROUND_A_MESSAGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """An amount, spent or allowed. `tokens` are prompt and completion together."""

    requests: int = 0
    tokens: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(requests=self.requests + other.requests, tokens=self.tokens + other.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Upper bounds; None is none. A request under way may carry the tokens over theirs, the next is not sent."""

    requests: int | None = None
    tokens: int | None = None

    def overrun(self, spent: Spent) -> str | None:
        """What is used up, in words; None when another request may be sent."""
        if self.requests is not None and spent.requests >= self.requests:
            return f"{spent.requests} of {self.requests} requests"
        if self.tokens is not None and spent.tokens >= self.tokens:
            return f"{spent.tokens} of {self.tokens} tokens"
        return None


UNLIMITED = Allowance()


class Budget:
    """Counts what checks and days have spent. `spent_today` carries over what earlier processes spent today."""

    def __init__(
        self,
        *,
        per_check: Allowance,
        per_day: Allowance,
        utc_now: Callable[[], datetime],
        spent_today: Spent | None = None,
    ) -> None:
        self._per_check = per_check
        self._per_day = per_day
        self._utc_now = utc_now
        self._day: date = utc_now().date()
        self._today = spent_today or Spent()
        self._checks: dict[str, Spent] = {}

    @property
    def spent_today(self) -> Spent:
        """What has been spent since midnight UTC."""
        today = self._utc_now().date()
        if today != self._day:
            self._day, self._today = today, Spent()
        return self._today

    def take_request(self, check_id: str) -> None:
        """Count one request as sent. Raises Stopped("budget") when the check or the day has none left."""
        if overrun := self._per_check.overrun(self._checks.get(check_id, Spent())):
            raise Stopped(EndReason.BUDGET, printable(f"{overrun} of this check are used"))
        if overrun := self._per_day.overrun(self.spent_today):
            raise Stopped(EndReason.BUDGET, printable(f"{overrun} of this day (UTC) are used"))
        self._add(check_id, Spent(requests=1))

    def add_tokens(self, check_id: str, tokens: int) -> None:
        """Count tokens, also those of a request that failed."""
        self._add(check_id, Spent(tokens=tokens))

    def _add(self, check_id: str, spent: Spent) -> None:
        self._today = self.spent_today + spent
        self._checks[check_id] = self._checks.get(check_id, Spent()) + spent
        if len(self._checks) > _CHECKS_REMEMBERED:
            del self._checks[next(iter(self._checks))]


def estimated_tokens(text: str) -> int:
    """Rather too many than too few: a token for three bytes of UTF-8 (English has about four, Chinese about three)."""
    return _TOKENS_AROUND_A_MESSAGE + ceil(len(text.encode("utf-8", "replace")) / 3)


def used_tokens(usage: Usage | None, *, prompt_estimate: int, completion_estimate: int) -> int:
    """The tokens of one exchange: as the server states them, estimated where it does not."""
    stated = usage or Usage()
    prompt = stated.prompt_tokens if stated.prompt_tokens is not None else prompt_estimate
    return prompt + (stated.completion_tokens if stated.completion_tokens is not None else completion_estimate)
