"""A fit finds weights that are known, keeps them from being negative, and tells the truth about unseen rows."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.agreement import spearman
from monitor.weightfit import FOLDS, fit_weights, fold_numbers


def rows_and_labels(weights: tuple[float, ...], n: int, noise: float) -> tuple[list[list[float]], list[float]]:
    draw = random.Random(1)
    rows = [[draw.random() for _ in weights] for _ in range(n)]
    labels = [0.1 + sum(w * x for w, x in zip(weights, row, strict=True)) + draw.gauss(0, noise) for row in rows]
    return rows, labels


def groups(n: int, of: int) -> list[str]:
    return [f"g{index % of}" for index in range(n)]


def test_weights_that_made_the_labels_are_found() -> None:
    rows, labels = rows_and_labels((0.5, 0.2, 0.0), 300, 0.01)
    fit = fit_weights(rows, labels, groups(300, 20))
    assert fit.weights == pytest.approx((0.5, 0.2, 0.0), abs=0.02)
    assert fit.intercept == pytest.approx(0.1, abs=0.02)


def test_what_falls_with_the_labels_gets_no_weight_instead_of_a_negative_one() -> None:
    rows, labels = rows_and_labels((0.5, -0.5), 200, 0.01)
    fit = fit_weights(rows, labels, groups(200, 20))
    assert fit.weights[1] == 0.0
    assert fit.weights[0] > 0.2


def test_labels_of_chance_are_followed_on_rows_seen_and_not_on_rows_unseen() -> None:
    draw = random.Random(4)
    rows = [[draw.random() for _ in range(10)] for _ in range(60)]
    labels = [draw.random() for _ in rows]
    fit = fit_weights(rows, labels, groups(60, 60))
    assert (spearman(fit.in_sample, labels).value or 0.0) > 0.1
    assert (spearman(fit.out_of_fold, labels).value or 0.0) < 0.1


def test_an_out_of_fold_prediction_does_not_know_its_own_fold() -> None:
    rows, labels = rows_and_labels((0.5, 0.2), 100, 0.05)
    names = groups(100, 10)
    held = fold_numbers(names) == 0
    before = fit_weights(rows, labels, names).out_of_fold
    changed = [9.0 if out else label for label, out in zip(labels, held, strict=True)]
    after = fit_weights(rows, changed, names).out_of_fold
    assert np.array(before)[held].tolist() == pytest.approx(np.array(after)[held].tolist())
    assert np.array(before)[~held].tolist() != pytest.approx(np.array(after)[~held].tolist())


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=FOLDS, max_size=60), st.integers(0, 3))
def test_a_group_stays_in_one_fold_where_there_are_enough_groups(names: list[str], seed: int) -> None:
    folds = fold_numbers(names, seed=seed).tolist()
    assert set(folds) <= set(range(FOLDS))
    if len(set(names)) >= FOLDS:
        assert len(set(zip(names, folds, strict=True))) == len(set(names))
        assert set(folds) == set(range(FOLDS))
    else:
        assert max(map(folds.count, range(FOLDS))) - min(map(folds.count, range(FOLDS))) <= 1


@pytest.mark.parametrize("rows", [[[0.1]] * 4, [[float("nan")]] * 9, [[]]])
def test_too_few_rows_or_no_numbers_are_refused(rows: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="at least 5 rows of finite numbers"):
        fit_weights(rows, [0.5] * len(rows), groups(len(rows), 5))
