"""How a score came about: what each component put into it, and what was taken away again. Knows no HTML."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from monitor.score import CRITICAL_CAP, ComponentScore, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One component: its weight, its share of all weights, what it puts into the score, and where that begins.

    `contribution` is share times value. `cap` names the critical items whose failure held the value at 0.40.
    """

    name: str
    value: float | None
    weight: float
    share: float
    contribution: float | None
    begins: float
    cap: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """The parts, their sum, and the gate (0 or 1) that it is multiplied by. `mean` None: a part has no value."""

    parts: tuple[Part, ...]
    mean: float | None
    gate: float
    closed_by: tuple[str, ...]


def compose(score: Score) -> Composition | None:
    """The arithmetic of `score.compose`, to be shown; None where nothing was scored or the weights were not kept."""
    weights = [component.weight for component in score.components if component.weight is not None]
    total = sum(weights)
    if not weights or len(weights) < len(score.components) or total <= 0:
        return None
    shares = [weight / total for weight in weights]
    values = [None if c.value is None else c.value * share for c, share in zip(score.components, shares, strict=True)]
    begins = accumulate((value or 0.0 for value in values[:-1]), initial=0.0)
    return Composition(
        parts=tuple(
            Part(
                name=component.name,
                value=component.value,
                weight=weight,
                share=share,
                contribution=value,
                begins=begin,
                cap=_cap(component),
            )
            for component, weight, share, value, begin in zip(
                score.components, weights, shares, values, begins, strict=True
            )
        ),
        mean=None if None in values else sum(value or 0.0 for value in values),
        gate=score.gate,
        closed_by=tuple(i.id for i in score.items if i.closes_gate and i.passed is False),
    )


def _cap(component: ComponentScore) -> tuple[str, ...]:
    """The critical items that failed, where they hold the component down."""
    failed = tuple(i.id for i in component.items if i.critical and i.is_on and i.passed is False)
    return failed if failed and component.value == CRITICAL_CAP else ()
