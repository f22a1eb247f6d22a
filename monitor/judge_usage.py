"""What asking a judge took, in calls, tokens and money. Knows nothing of what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeUsage:
    """What judging one conversation took. Tokens and cost are None where the server or the configuration did not say.

    `cost` is in the currency of the configured prices.
    """

    calls: int
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None

    def __add__(self, other: JudgeUsage) -> JudgeUsage:
        """Both together; what is unknown of one is unknown of both."""
        return JudgeUsage(
            calls=self.calls + other.calls,
            prompt_tokens=_sum(self.prompt_tokens, other.prompt_tokens),
            completion_tokens=_sum(self.completion_tokens, other.completion_tokens),
            cost=_sum(self.cost, other.cost),
        )


def together(first: JudgeUsage | None, second: JudgeUsage | None) -> JudgeUsage | None:
    """Both together, where None is that nothing was asked."""
    return first + second if first and second else first or second


def _sum(first: N | None, second: N | None) -> N | None:
    return None if first is None or second is None else first + second
