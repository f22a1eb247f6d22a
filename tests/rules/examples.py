"""Checks as the rules see them, from outcomes written down or drawn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from monitor.rules.decide import Decision, decide
from monitor.rules.evidence import Evidence, IntentEvidence
from monitor.rules.memory import Memory
from monitor.rules.policy import RulesPolicy
from monitor.verdict import Finding, Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(hours=4)
POLICY = RulesPolicy()


def intent(
    name: str,
    values: list[float | None],
    *,
    errors: list[bool] | None = None,
    critical: bool = False,
    weight: float = 1.0,
) -> IntentEvidence:
    """One intent; what is worth at least a half has passed."""
    return IntentEvidence(
        intent_id=name,
        fingerprint=f"print-{name}",
        weight=weight,
        critical=critical,
        values=tuple(values),
        passed=tuple(None if value is None else value >= 0.5 for value in values),
        errors=tuple(errors or [False] * len(values)),
    )


def check(*intents: IntentEvidence, number: int = 0, confirming_from: int | None = None) -> Evidence:
    """The check with that number, counted from START."""
    rounds = min(len(heard.values) for heard in intents)
    return Evidence(at=START + number * INTERVAL, intents=intents, rounds=rounds, confirming_from=confirming_from)


def steady(share: float, *, intents: int = 20, rounds: int = 4, number: int = 0) -> Evidence:
    """Every intent passes in about this share of the rounds, spread evenly."""
    whole = round(share * intents * rounds)
    marks = [1.0 if (place * whole) % (intents * rounds) < whole else 0.0 for place in range(intents * rounds)]
    return check(*(intent(f"i{i}", list(marks[i::intents])) for i in range(intents)), number=number)


def warmed(share: float = 0.8, *, checks: int = 42, policy: RulesPolicy = POLICY, seed: int = 1) -> Memory:
    """The memory after so many checks whose conversations pass with this chance."""
    draw, memory = np.random.default_rng(seed), Memory()
    for number in range(checks):
        memory = decide("s", drawn(draw, share, number=number), memory, policy).memory
    return memory


def drawn(draw: np.random.Generator, share: float, *, rounds: int = 4, intents: int = 20, number: int = 0) -> Evidence:
    """A check whose conversations pass with this chance."""
    marks = (draw.random((intents, rounds)) < share).astype(float)
    return check(*(intent(f"i{i}", [float(v) for v in marks[i]]) for i in range(intents)), number=number)


def said(decision: Decision, rule: str, scope: str = "s/overall") -> Verdict:
    """What one rule said of one scope."""
    (verdict,) = [v for v in decision.verdicts if (v.rule, v.scope) == (rule, scope)]
    return verdict


def finding(decision: Decision, rule: str, scope: str = "s/overall") -> Finding:
    """Its finding."""
    return said(decision, rule, scope).finding
