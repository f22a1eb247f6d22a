"""The benchmark of scores computes its figures right and says what is missing. No agreement is tested."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from monitor.score import ComponentScore
from monitor.scorers.experience import Scale
from tests.benchmarks.scoring import figures, measuring
from tests.benchmarks.scoring.probing import UserModelOptions, measured_scale, rescaled
from tests.benchmarks.scoring.ratings import FILE, MissingData, Rated, read_ratings

HUMAN = {"likeability": 5, "understanding": 4, "response": 4, "avoids_repetition": 3}


def write(folder: Path, workers: int = 1, assistants: tuple[str, ...] = ("Green", "Pink", "Purple")) -> Path:
    """Each worker talks once to each assistant; ranks follow the order of `assistants`."""
    rows = [
        {
            "id": f"{worker}-positive-{name}",
            "worker": worker,
            "assistant": name,
            "situation": "my cat came home",
            "messages": [
                {"role": "user", "content": f"my cat number {worker} came home"},
                {"role": "assistant", "content": " ".join(["fine"] * rank)},
            ],
            "human": {**HUMAN, "rank_3_best": rank, "likeability": 1 + (worker + rank) % 5},
        }
        for worker in range(workers)
        for rank, name in enumerate(assistants, start=1)
    ]
    (folder / FILE).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder


def rated(folder: Path, workers: int = 1) -> list[Rated]:
    return read_ratings(write(folder, workers))


def test_a_rating_is_the_mean_of_four_scales(tmp_path: Path) -> None:
    first = rated(tmp_path)[0]
    assert (first.rating, first.rank, first.situation, first.assistant) == (13 / 4, 1, "0-positive", "Green")
    assert [turn.role.value for turn in first.case.transcript.turns] == ["user", "assistant"]


def test_missing_data_is_told_with_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"iEval .* name their folder with DATA=DIR"):
        read_ratings(tmp_path)


def test_another_file_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"id": "x"}', encoding="utf-8")
    with pytest.raises(MissingData, match="does not hold rated conversations"):
        read_ratings(tmp_path)


def test_pairs_are_counted_within_a_situation_and_ties_are_half(tmp_path: Path) -> None:
    three = rated(tmp_path)
    assert figures.rank_accuracy(three, [0.1, 0.2, 0.3]) == 1.0
    assert figures.rank_accuracy(three, [0.2, 0.2, 0.1]) == pytest.approx(0.5 / 3)
    assert figures.rank_accuracy(three, [0.2, 0.1, 0.3], without_best=True) == 0.0


def test_a_value_that_does_not_vary_has_no_correlation() -> None:
    assert figures.spearman([0.5, 0.5], [1.0, 2.0]) is None
    assert figures.spearman([0.1, 0.5, 0.4], [1.0, 3.0, 2.0]) == pytest.approx(1.0)


def test_a_fit_finds_what_there_is_and_nothing_in_noise() -> None:
    draw = np.random.default_rng(1)
    features, workers = draw.normal(size=(200, 3)), [row // 4 for row in range(200)]
    ratings = features @ np.array([1.0, -2.0, 0.0]) + draw.normal(size=200) / 10
    found = figures.spearman(figures.out_of_fold(features, ratings, workers).tolist(), ratings.tolist())
    noise = figures.spearman(figures.out_of_fold(features, draw.normal(size=200), workers).tolist(), ratings.tolist())
    assert found is not None
    assert noise is not None
    assert found > 0.95 > 0.5 > abs(noise)


def test_a_prediction_never_knows_its_own_worker() -> None:
    features = np.eye(10).repeat(2, axis=0)
    ratings = np.arange(10.0).repeat(2)
    predicted = figures.out_of_fold(features, ratings, [row // 2 for row in range(20)])
    for one in range(10):
        changed = ratings.copy()
        changed[2 * one : 2 * one + 2] += 100
        again = figures.out_of_fold(features, changed, [row // 2 for row in range(20)])
        assert again[2 * one] == predicted[2 * one]


def test_constants_come_from_the_half_that_may_be_looked_at(tmp_path: Path) -> None:
    two = rated(tmp_path, workers=2)
    given = [ComponentScore(name="experience", value=0.0, signals={"f": f, "C": 1.0, "E": 0.0}) for f in range(6)]
    scale = measured_scale(two, given)
    assert scale.center == 1.0
    assert rescaled(given, Scale(center=1.0, spread=1.0))[2].value == pytest.approx(0.6 * 0.75 + 0.25)


@pytest.mark.model
def test_all_keys_of_the_ratings_are_measured(tmp_path: Path, smollm2_folder: Path) -> None:
    ten = rated(tmp_path, workers=4)
    model = UserModelOptions(
        name=str(smollm2_folder), kind="prompted", device="cpu", dtype="float32", cache_dir=tmp_path, threads=1
    )
    measured = measuring.measure(ten, model)
    assert isinstance(measured.figures["conversations_per_second"], float)
    assert {"fit_spearman", "blend_spearman", "rank_accuracy_without_best", "f_spread"} <= measured.figures.keys()
    assert measuring.tables(ten, measured.values).splitlines()[0].split()[:2] == ["Spearman", "all"]
