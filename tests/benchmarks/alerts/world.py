"""A made-up suite whose intents pass with known chances, played by the product's own rules and stopping.

Binary outcomes are the worst case: no score of a given mean varies more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from monitor.rules.decide import decide
from monitor.rules.evidence import Evidence, IntentEvidence
from monitor.rules.memory import Memory
from monitor.rules.policy import RulesPolicy
from monitor.rules.stopping import More, more
from monitor.verdict import OVERALL, Finding, Severity, Verdict

SUITE = "suite"
START = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(hours=4)
CHECKS_A_DAY = 6
CHECKS_A_YEAR = 6 * 365
AT_ONCE = 8
"""Conversations under way at a time: so many of a round are finished though they are not waited for any more."""

Chances = npt.NDArray[np.float64]
Draw = Callable[[int, int], list[float]]


def chances(draw: np.random.Generator, *, intents: int, mean: float, correlation: float) -> Chances:
    """How often each intent passes: Beta with this mean and intraclass correlation, moved on the logit scale until the
    mean of this very suite is the wanted one.
    """
    size = 1.0 / correlation - 1.0
    drawn = np.clip(draw.beta(mean * size, (1.0 - mean) * size, size=intents), 1e-9, 1.0 - 1e-9)
    logits = np.log(drawn / (1.0 - drawn))
    low, high = -20.0, 20.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _logistic(logits + middle).mean() < mean else (low, middle)
    found: Chances = _logistic(logits + low)
    return found


def _logistic(values: Chances) -> Chances:
    return np.asarray(1.0 / (1.0 + np.exp(-values)), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A check: what it said, and how many conversations it took."""

    verdicts: tuple[Verdict, ...]
    conversations: int


@dataclass(slots=True, kw_only=True)
class Watch:
    """A suite under the rules. `passing` tells how often each intent passes; `wobble` is the standard deviation of what
    moves all of them together from check to check.
    """

    draw: np.random.Generator
    policy: RulesPolicy
    passing: Chances
    wobble: float
    failing: bool = False
    memory: Memory = field(default_factory=Memory)
    number: int = 0

    def check(self) -> Played:
        """The next check."""
        moved = np.clip(self.passing + self.draw.normal(0.0, self.wobble), 0.0, 1.0)
        values: list[list[float]] = [[] for _ in self.passing]

        def hear(intents: range | list[int], rounds: int) -> None:
            for intent in intents:
                values[intent] += (self.draw.random(rounds) < moved[intent]).astype(float).tolist()

        played = play(hear, lambda rounds, first: self._evidence(values, rounds, first), self.memory, self.policy)
        decision = decide(SUITE, played.evidence, self.memory, self.policy)
        self.memory, self.number = decision.memory, self.number + 1
        return Played(verdicts=decision.verdicts, conversations=sum(map(len, values)) + played.unheard)

    def checks(self, count: int) -> Iterator[Played]:
        """The next ones."""
        for _ in range(count):
            yield self.check()

    def _evidence(self, values: list[list[float]], rounds: int, confirming_from: int | None) -> Evidence:
        intents = tuple(
            IntentEvidence(
                intent_id=f"intent-{number}",
                fingerprint=f"intent-{number}",
                weight=1.0,
                critical=False,
                values=tuple(heard),
                passed=tuple(value > 0.5 for value in heard),
                errors=(self.failing,) * len(heard),
            )
            for number, heard in enumerate(values)
        )
        at = START + self.number * INTERVAL
        return Evidence(at=at, intents=intents, rounds=rounds, confirming_from=confirming_from)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The evidence of a check, and the conversations that were under way when it had heard enough."""

    evidence: Evidence
    unheard: int


def play(
    hear: Callable[[range | list[int], int], None],
    evidence_of: Callable[[int, int | None], Evidence],
    memory: Memory,
    policy: RulesPolicy,
) -> Heard:
    """Rounds as a check admits them: the rules are asked after each complete one."""
    rounds, confirming_from, unheard = policy.rounds.least, None, 0
    count = len(evidence_of(0, None).intents)
    hear(range(count), rounds)
    while wanted := more(evidence := evidence_of(rounds, confirming_from), memory, policy):
        if wanted.fingerprints is not None:
            hear(_numbers(evidence, wanted), wanted.rounds)
            continue
        if wanted.is_confirming:
            confirming_from = rounds
        played = wanted.rounds if wanted.is_confirming else 1
        hear(range(count), played)
        rounds += played
        unheard = 0 if wanted.is_confirming or (rounds - policy.rounds.least) % policy.rounds.wave == 0 else AT_ONCE - 1
    return Heard(evidence=evidence, unheard=unheard)


def _numbers(evidence: Evidence, wanted: More) -> list[int]:
    return [n for n, intent in enumerate(evidence.intents) if intent.fingerprint in (wanted.fingerprints or ())]


@dataclass(slots=True)
class Alarms:
    """Counts what people would be told: incidents that open, by rule, and those that page.

    One incident for each scope; while the whole suite has one, no intent opens another.
    """

    open_rules: dict[str, frozenset[str]] = field(default_factory=dict)
    paged: set[str] = field(default_factory=set)
    notifications: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)

    def hear(self, verdicts: tuple[Verdict, ...]) -> list[Verdict]:
        """The verdicts of a check that opened an incident."""
        return [verdict for verdict in verdicts if self._hear(verdict)]

    def _hear(self, verdict: Verdict) -> bool:
        scope, overall = verdict.scope, f"{SUITE}/{OVERALL}"
        rules = self.open_rules.get(scope, frozenset())
        opens = False
        if verdict.finding is Finding.BREACH:
            if not rules and scope != overall and self.open_rules.get(overall):
                return False
            opens = not rules
            if opens:
                self.notifications.append(verdict.rule)
            if verdict.severity is Severity.CRITICAL and scope not in self.paged:
                self.paged.add(scope)
                self.pages.append(verdict.rule)
            rules |= {verdict.rule}
        elif verdict.finding is Finding.RECOVERED:
            rules -= {verdict.rule}
        if not rules:
            self.paged.discard(scope)
        self.open_rules[scope] = rules
        return opens


def dropped(passing: Chances, drop: float) -> Chances:
    """Every intent passes so much less often that their mean falls by `drop`."""
    after: Chances = passing * (1.0 - drop / passing.mean())
    return after


def dead(passing: Chances, intent: int) -> Chances:
    """One intent never passes."""
    after: Chances = passing.copy()
    after[intent] = 0.0
    return after


def forget(watch: Watch) -> Watch:
    """The same suite without its past."""
    return replace(watch, memory=Memory(), number=0)
