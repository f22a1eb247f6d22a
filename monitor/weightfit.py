"""A fit of the weights of components to human labels. Pure; knows nothing of what the components are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

FOLDS = 5
PENALTIES = (0.001, 0.01, 0.1, 1.0)
"""As shares of the mean variance of the predictors, over all rows."""
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RidgeFit:
    """Weights in the order of the columns; `penalty` is one of PENALTIES. Predictions are intercept + X w."""

    weights: tuple[float, ...]
    intercept: float
    penalty: float
    in_sample: tuple[float, ...]
    out_of_fold: tuple[float, ...]


def fit_weights(
    rows: Sequence[Sequence[float]], labels: Sequence[float], groups: Sequence[str], *, seed: int = 0
) -> RidgeFit:
    """Weights w >= 0 that minimise |y - b - X w|^2 + c |w|^2 (ridge, Hoerl and Kennard 1970; non-negative least
    squares, Lawson and Hanson 1974).

    c is the penalty times rows times the predictors' mean variance; of PENALTIES the one with the least squared error
    over FOLDS folds of the rows at hand. Out-of-fold predictions choose it anew without the fold that they are for.
    Rows of one group (an intent) stay in one fold where there are at least FOLDS groups. Raises ValueError for fewer
    rows than FOLDS or values that are not finite.
    """
    x, y = np.asarray(rows, dtype=float), np.asarray(labels, dtype=float)
    if x.ndim != 2 or len(x) < FOLDS or len(x) != len(y) or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(f"a fit needs at least {FOLDS} rows of finite numbers, a label for each")
    folds = fold_numbers(groups, seed=seed)
    penalty = _best_penalty(x, y, folds)
    weights, intercept = _solve(x, y, penalty)
    out = np.empty(len(y))
    for fold in range(FOLDS):
        held, kept = folds == fold, folds != fold
        w, b = _solve(x[kept], y[kept], _best_penalty(x[kept], y[kept], folds[kept]))
        out[held] = x[held] @ w + b
    return RidgeFit(
        weights=tuple(map(float, weights)),
        intercept=intercept,
        penalty=penalty,
        in_sample=tuple(map(float, x @ weights + intercept)),
        out_of_fold=tuple(map(float, out)),
    )


def fold_numbers(groups: Sequence[str], *, seed: int = 0) -> NDArray[np.int64]:
    """The fold of each row, from 0 to FOLDS - 1, as even as whole groups allow."""
    draw = np.random.default_rng(seed)
    sizes = {name: groups.count(name) for name in sorted(set(groups))}
    if len(sizes) < FOLDS:
        return draw.permutation(np.arange(len(groups)) % FOLDS).astype(np.int64)
    names = [str(name) for name in draw.permutation(list(sizes))]
    filled, place = [0] * FOLDS, {}
    for name in sorted(names, key=lambda name: -sizes[name]):
        place[name] = filled.index(min(filled))
        filled[place[name]] += sizes[name]
    return np.array([place[name] for name in groups], dtype=np.int64)


def _best_penalty(x: Array, y: Array, folds: NDArray[np.int64]) -> float:
    def error(penalty: float) -> float:
        total = 0.0
        for fold in np.unique(folds):
            held = folds == fold
            if held.all():
                continue
            w, b = _solve(x[~held], y[~held], penalty)
            total += float(np.sum((y[held] - x[held] @ w - b) ** 2))
        return total

    return min(PENALTIES, key=error)


def _solve(x: Array, y: Array, penalty: float) -> tuple[Array, float]:
    means, level = x.mean(axis=0), float(y.mean())
    centred = x - means
    scale = float(np.mean(centred**2)) * len(x) * penalty
    # Rows below the data with the label 0 make the penalty part of plain least squares.
    padded = np.vstack([centred, np.sqrt(max(scale, 1e-9)) * np.eye(x.shape[1])])
    weights, _ = nnls(padded, np.concatenate([y - level, np.zeros(x.shape[1])]))
    return weights, level - float(means @ weights)
