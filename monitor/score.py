"""Scores: numbers in [0, 1], or None with the reason why there is no number.

The composition is the one of README "Scoring": score = gate * sum(w x) / sum(w) over the components turned on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from monitor.judge_usage import JudgeUsage

PASS_SCORE = 0.5
CRITICAL_CAP = 0.40
JUDGED_KINDS = frozenset({"judge", "quality"})
"""Items that are a judge's answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where something was seen: the index of the turn in the transcript and the words themselves."""

    turn: int
    quote: str


class Departure(StrEnum):
    """What a simulated user's invented requirements did: nothing, little, made the task easier, or made it harder."""

    NONE = "none"
    MINOR = "minor"
    HELPED = "helped"
    HINDERED = "hindered"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserValidity:
    """Whether the simulated user kept to what its intent says it knows. `departure` None: not measured, see `reason`.

    A conversation whose user was hindered by its own inventions has no score; one with a minor or a helpful departure
    has, and is told apart as out of specification.
    """

    departure: Departure | None
    reason: str = ""
    evidence: tuple[Evidence, ...] = ()

    @property
    def is_in_spec(self) -> bool | None:
        """Whether nothing was invented; None where that was not measured."""
        return None if self.departure is None else self.departure is Departure.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemScore:
    """The answer to one checklist item or one rule of a component.

    `closes_gate`: its failure zeroes the score. `is_on` False: the configuration cannot measure this kind of item, so
    it is shown and left out of the sums.
    """

    id: str
    kind: str
    value: float | None
    reason: str
    weight: float = 1.0
    critical: bool = False
    closes_gate: bool = False
    is_on: bool = True
    evidence: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        _require_unit(self.value, f"item {self.id}")

    @property
    def passed(self) -> bool | None:
        """Whether the value reaches one half; None when there is no value."""
        return None if self.value is None else self.value >= PASS_SCORE


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentScore:
    """One component (task, quality, experience, conduct) with the items that it was made from.

    `signals` are the finite numbers behind it, by name, in units of their own: what a fit of the weights learns from.
    `weight` is its own in the score (None: it was composed before weights were kept).
    """

    name: str
    value: float | None
    reason: str = ""
    items: tuple[ItemScore, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)
    weight: float | None = None

    def __post_init__(self) -> None:
        _require_unit(self.value, f"component {self.name}")
        for name, number in self.signals.items():
            if not math.isfinite(number):
                raise ValueError(f"signal {name} of component {self.name} must be a finite number, not {number!r}")


class JudgeResult(StrEnum):
    """What came of one request to the judge."""

    OK = "ok"
    UNUSABLE = "unusable"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one conversation is worth. `value` None means not measured, and `reason` says why."""

    value: float | None
    reason: str
    gate: float
    components: tuple[ComponentScore, ...]
    judged: JudgeUsage | None = None

    def __post_init__(self) -> None:
        _require_unit(self.value, "score")
        _require_unit(self.gate, "gate")

    @property
    def items(self) -> tuple[ItemScore, ...]:
        """Every item of every component."""
        return tuple(item for component in self.components for item in component.items)

    @property
    def passed(self) -> bool | None:
        """At least one half, and every critical item too; None when there is no score."""
        if self.value is None:
            return None
        return self.value >= PASS_SCORE and all(item.passed for item in self.items if item.critical and item.is_on)

    def component(self, name: str) -> ComponentScore | None:
        """The component of that name, if it was on."""
        return next((component for component in self.components if component.name == name), None)


MEASURES = ("task_completion", "coherence", "helpfulness")


def measures(score: Score) -> dict[str, float | None]:
    """Three measures by the names that reports use: the component `task`, and two of the signals of `quality`."""
    task, quality = score.component("task"), score.component("quality")
    signals = quality.signals if quality else {}
    return {"task_completion": task.value if task else None} | {name: signals.get(name) for name in MEASURES[1:]}


def compose(components: tuple[ComponentScore, ...], weights: dict[str, float]) -> Score:
    """Weighted mean over the components that are on (`weights`), times the gate.

    A component that is on and has no value makes the whole score None: what was not measured is never guessed.
    """
    on = [replace(component, weight=weights[component.name]) for component in components if component.name in weights]
    missing = sorted(weights.keys() - {component.name for component in on})
    failed = [f"{component.name}: {component.reason}" for component in on if component.value is None]
    failed += [f"{name}: not scored" for name in missing]
    closed = [i.id for c in on for i in c.items if i.closes_gate and i.passed is False]
    gate = 0.0 if closed else 1.0
    if failed or not on:
        reason = "; ".join(failed) or "no component is turned on"
        return Score(value=None, reason=reason, gate=gate, components=tuple(on))
    total = sum(weights[component.name] for component in on)
    mean = sum(weights[component.name] * (component.value or 0.0) for component in on) / total
    reason = f"gate closed by {', '.join(closed)}" if closed else ""
    return Score(value=_clip(gate * mean), reason=reason, gate=gate, components=tuple(on))


def checklist_value(items: tuple[ItemScore, ...]) -> tuple[float | None, str]:
    """The weighted mean of items, capped at 0.40 when a critical one failed; None when any item has no value."""
    items = tuple(item for item in items if item.is_on)
    unmeasured = [f"{item.id}: {item.reason}" for item in items if item.value is None]
    if unmeasured:
        return None, "; ".join(unmeasured)
    total = sum(item.weight for item in items)
    if not total:
        return None, "no items"
    mean = _clip(sum(item.weight * (item.value or 0.0) for item in items) / total)
    failed = [item.id for item in items if item.critical and not item.passed]
    return (min(mean, CRITICAL_CAP), f"critical item failed: {', '.join(failed)}") if failed else (mean, "")


def _clip(value: float) -> float:
    return min(1.0, max(0.0, value))


def _require_unit(value: float | None, what: str) -> None:
    """Raise ValueError for NaN, infinities and numbers outside [0, 1]."""
    if value is not None and not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise ValueError(f"{what} must be None or a number from 0 to 1, not {value!r}")
