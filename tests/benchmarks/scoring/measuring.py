"""The figures of rated conversations: hand-set components, their blend, and a fit over everything that is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.config.experience import MEASURED
from monitor.score import ComponentScore
from monitor.scorers.experience import Scale
from tests.benchmarks.engine.report import table
from tests.benchmarks.scoring.figures import (
    Array,
    mean_of,
    out_of_fold,
    rank_accuracy,
    spearman,
    within_assistants,
)
from tests.benchmarks.scoring.probing import (
    WEIGHTS,
    Scored,
    UserModelOptions,
    measured_scale,
    rescaled,
    score_all,
)
from tests.benchmarks.scoring.ratings import Rated

SCALE_OF_ANY = Scale(center=0.0, spread=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Values of every conversation by what gave them, and the figures made of them."""

    values: Mapping[str, Sequence[float]]
    figures: Mapping[str, object]


def measure(rated: Sequence[Rated], model: UserModelOptions) -> Measured:
    """Score everything and compare it with the ratings."""
    known = MEASURED.get((model.kind, model.name))
    shipped = Scale(center=known.center, spread=known.spread) if known else None
    scored = score_all(rated, model, shipped or SCALE_OF_ANY)
    own = measured_scale(rated, scored.experience)
    experience = scored.experience if shipped else rescaled(scored.experience, own)
    values = values_of(rated, scored.conduct, experience)
    return Measured(values=values, figures=figures_of(rated, values) | _of_model(model, own, scored, len(rated)))


def values_of(
    rated: Sequence[Rated], conduct: Sequence[ComponentScore], experience: Sequence[ComponentScore]
) -> dict[str, list[float]]:
    """Of every conversation: the two components, their blend by the default weights, and the fit's prediction."""
    pairs = list(zip(conduct, experience, strict=True))
    total = sum(WEIGHTS.values())
    blend = [sum(WEIGHTS[one.name] * (one.value or 0.0) for one in pair) / total for pair in pairs]
    ratings = np.array([one.rating for one in rated])
    fit = out_of_fold(_features(pairs), ratings, [one.worker for one in rated])
    return {
        "conduct": [one.value or 0.0 for one in conduct],
        "experience": [one.value or 0.0 for one in experience],
        "blend": blend,
        "fit": fit.tolist(),
    }


def _features(pairs: Sequence[tuple[ComponentScore, ...]]) -> Array:
    """A row for each conversation: values, items and signals of its components, all that is stored of them."""
    rows = [
        {f"{one.name}.value": one.value or 0.0 for one in pair}
        | {f"{one.name}.item.{item.id}": item.value or 0.0 for one in pair for item in one.items}
        | {f"{one.name}.{name}": number for one in pair for name, number in one.signals.items()}
        for pair in pairs
    ]
    names = sorted(set.intersection(*map(set, rows)))
    return np.array([[row[name] for name in names] for row in rows])


def figures_of(rated: Sequence[Rated], values: Mapping[str, Sequence[float]]) -> dict[str, object]:
    """The keys of the last line that the ratings give."""
    ratings = [one.rating for one in rated]
    found: dict[str, object] = {f"{name}_spearman": spearman(given, ratings) for name, given in values.items()}
    return found | {
        "conduct_within_assistant": mean_of(within_assistants(rated, values["conduct"])),
        "experience_within_assistant": mean_of(within_assistants(rated, values["experience"])),
        "blend_within_assistant": mean_of(within_assistants(rated, values["blend"])),
        "rank_accuracy": rank_accuracy(rated, values["fit"]),
        "rank_accuracy_without_best": rank_accuracy(rated, values["fit"], without_best=True),
        "blend_rank_accuracy": rank_accuracy(rated, values["blend"]),
        "blend_rank_accuracy_without_best": rank_accuracy(rated, values["blend"], without_best=True),
    }


def _of_model(model: UserModelOptions, scale: Scale, scored: Scored, count: int) -> dict[str, object]:
    return {
        "user_model": model.name,
        "f_center": round(scale.center, 3),
        "f_spread": round(scale.spread, 3),
        "conversations": count,
        "conversations_per_second": round(count / scored.seconds, 2),
    }


def tables(rated: Sequence[Rated], values: Mapping[str, Sequence[float]]) -> str:
    """Spearman's correlation with the rating: over all, over either half of the workers, within each assistant."""
    assistants = sorted({one.assistant for one in rated})
    head = ("Spearman", "all", "even workers", "odd workers", *assistants)
    rows = [
        (
            name,
            _over(rated, given, [True] * len(rated)),
            _over(rated, given, [one.is_developed_on for one in rated]),
            _over(rated, given, [not one.is_developed_on for one in rated]),
            *within_assistants(rated, given).values(),
        )
        for name, given in values.items()
    ]
    return table(head, rows)


def _over(rated: Sequence[Rated], values: Sequence[float], chosen: Sequence[bool]) -> float | None:
    some = [(value, one.rating) for value, one, is_in in zip(values, rated, chosen, strict=True) if is_in]
    return spearman([value for value, _ in some], [rating for _, rating in some])
