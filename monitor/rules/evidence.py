"""What one check has heard so far, as the rules see it: values by intent and round. Knows no conversations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.stats import Stratum, variance_of_sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Count, sum and sum of squares of values in [0, 1]."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: list[float]) -> Sums:
        """Of these values."""
        return cls(count=len(values), total=math.fsum(values), squares=math.fsum(value * value for value in values))

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            count=self.count + other.count, total=self.total + other.total, squares=self.squares + other.squares
        )

    @property
    def mean(self) -> float:
        """Their mean. Raises ZeroDivisionError without a value."""
        return self.total / self.count


NO_SUMS = Sums()


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentEvidence:
    """The conversations of one intent, by round; None where nothing was scored.

    `values` count in the mean (the assistant's errors as 0), `passed` are the outcomes for the intent's own rule,
    `errors` tells for each round whether the assistant failed to hold the conversation.
    """

    intent_id: str
    fingerprint: str
    weight: float
    critical: bool
    values: tuple[float | None, ...]
    passed: tuple[bool | None, ...]
    errors: tuple[bool, ...]

    @property
    def outcomes(self) -> list[bool]:
        """Passed or not, of the conversations that say so, in the order of the rounds."""
        return [passed for passed in self.passed if passed is not None]

    def sums(self, rounds: int | None = None, *, first: int = 0) -> Sums:
        """Of the values in the rounds from `first` on and before `rounds` (None: all)."""
        return Sums.of([value for value in self.values[first:rounds] if value is not None])


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The conversations of a check. `rounds` were played for every intent; some intents may have more of their own.

    `confirming_from`: the rounds from this one on were played to confirm a regression; None: none were.
    `rate_limited` conversations of the common rounds ended in the assistant's refusal to hear more.
    """

    at: datetime
    intents: tuple[IntentEvidence, ...]
    rounds: int
    confirming_from: int | None = None
    rate_limited: int = 0

    @property
    def planned(self) -> int:
        """How many conversations the common rounds have."""
        return self.rounds * len(self.intents)

    @property
    def valid(self) -> int:
        """How many of them say something about the assistant."""
        return sum(1 for i in self.intents for value in i.values[: self.rounds] if value is not None)

    def errors(self, rounds: int | None = None) -> tuple[int, int]:
        """How many conversations the assistant failed to hold, and how many say anything, in the first rounds.

        None: the common ones. What suspicious intents were played beyond would make their errors look like everybody's.
        """
        rounds = self.rounds if rounds is None else rounds
        failed = sum(sum(i.errors[:rounds]) for i in self.intents)
        return failed, sum(1 for i in self.intents for value in i.values[:rounds] if value is not None)

    def strata(self, known: Mapping[str, Sums], *, first: int = 0, rounds: int | None = None) -> dict[str, Stratum]:
        """The intents that have a value in the rounds from `first` on and before `rounds` (None: the last common one),
        by fingerprint.

        The variance of one value is taken from these rounds joined with what is `known` of the intent from before.
        """
        found = {}
        for intent in self.intents:
            sums = intent.sums(self.rounds if rounds is None else rounds, first=first)
            if not sums.count:
                continue
            joined = sums + known.get(intent.fingerprint, NO_SUMS)
            found[intent.fingerprint] = Stratum(
                weight=intent.weight,
                count=sums.count,
                mean=sums.mean,
                variance=variance_of_sums(joined.count, joined.total, joined.squares),
            )
        return found
