"""How well numbers agree with what people said of the same conversations. Knows nothing of where they come from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from tests.benchmarks.scoring.ratings import BEST, Rated

Array = NDArray[np.float64]
FOLDS = 5
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


def spearman(values: Sequence[float], ratings: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties sharing their ranks; None where one side does not vary."""
    if len(set(values)) < 2 or len(set(ratings)) < 2:
        return None
    found = float(spearmanr(values, ratings).statistic)
    return found if math.isfinite(found) else None


def within_assistants(rated: Sequence[Rated], values: Sequence[float]) -> dict[str, float | None]:
    """Spearman's correlation with the rating over the conversations of one assistant, for each of them."""
    return {
        name: spearman(*zip(*of_one, strict=True))
        for name in sorted({one.assistant for one in rated})
        for of_one in [[(v, one.rating) for v, one in zip(values, rated, strict=True) if one.assistant == name]]
    }


def mean_of(found: dict[str, float | None]) -> float | None:
    """The mean; None where one of them is."""
    numbers = [value for value in found.values() if value is not None]
    return fmean(numbers) if numbers and len(numbers) == len(found) else None


def rank_accuracy(rated: Sequence[Rated], values: Sequence[float], *, without_best: bool = False) -> float | None:
    """Of the pairs of one situation that the person ranked apart, the share in the same order; a tie is one half."""
    groups: dict[str, list[tuple[int, float]]] = {}
    for one, value in zip(rated, values, strict=True):
        if not (without_best and one.assistant == BEST):
            groups.setdefault(one.situation, []).append((one.rank, value))
    found = [
        0.5 if value == other_value else float((value > other_value) == (rank > other_rank))
        for group in groups.values()
        for (rank, value), (other_rank, other_value) in combinations(group, 2)
        if rank != other_rank
    ]
    return fmean(found) if found else None


def out_of_fold(features: Array, ratings: Array, workers: Sequence[int]) -> Array:
    """What a ridge fit on the other folds predicts for each row; a worker is in one fold.

    Columns are standardised and the penalty is chosen on the folds that the fit is made on.
    """
    groups = _folds(workers)
    predictions = np.zeros(len(ratings))
    for fold in sorted(set(groups)):
        held = np.array([group == fold for group in groups])
        inner = [worker for worker, is_held in zip(workers, held, strict=True) if not is_held]
        penalty = _best_penalty(features[~held], ratings[~held], inner)
        predictions[held] = _fit_predict(features[~held], ratings[~held], features[held], penalty)
    return predictions


def _folds(workers: Sequence[int]) -> list[int]:
    """The fold of each row: workers in order are dealt out one by one."""
    place = {worker: number for number, worker in enumerate(sorted(set(workers)))}
    return [place[worker] % FOLDS for worker in workers]


def _best_penalty(features: Array, ratings: Array, workers: Sequence[int]) -> float:
    """The one whose predictions of held-out workers are nearest to their ratings."""
    groups = np.array(_folds(workers))

    def error(penalty: float) -> float:
        squares = 0.0
        for fold in set(groups.tolist()):
            held = groups == fold
            predicted = _fit_predict(features[~held], ratings[~held], features[held], penalty)
            squares += float(((predicted - ratings[held]) ** 2).sum())
        return squares

    return min(PENALTIES, key=error)


def _fit_predict(features: Array, ratings: Array, unseen: Array, penalty: float) -> Array:
    """Ridge regression (Hoerl and Kennard 1970) on standardised columns; one that does not vary weighs nothing."""
    center, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread == 0] = np.inf
    x = (features - center) / spread
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ (ratings - ratings.mean()))
    predicted: Array = ratings.mean() + ((unseen - center) / spread) @ weights
    return predicted
