"""Figures of agreement against scipy, against published examples and against simulation."""

from __future__ import annotations

import math
import random
from statistics import fmean, pstdev

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from monitor.agreement import (
    Confusion,
    auc,
    clustered_mean,
    confusion,
    corrected_share,
    kappa,
    ranks,
    share,
    spearman,
)

NUMBERS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=40)
COUNTS = st.integers(0, 50)


def value(estimate: object) -> float:
    found = getattr(estimate, "value", None)
    assert isinstance(found, float)
    return found


def drawn(p: float, n: int, draw: random.Random) -> int:
    return sum(draw.random() < p for _ in range(n))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_ranks_are_those_of_scipy_ties_included(values: list[int]) -> None:
    assert ranks(values) == stats.rankdata(values).tolist()


@given(NUMBERS)
def test_spearman_is_that_of_scipy_and_lies_in_its_interval(pairs: list[tuple[int, int]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    assume(len(set(first)) > 1 and len(set(second)) > 1)
    found = spearman(first, second)
    assert value(found) == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-9)
    if found.low is not None and found.high is not None:
        assert -1 <= found.low <= value(found) <= found.high <= 1


def test_spearmans_interval_holds_the_truth_about_95_times_of_100() -> None:
    draw = random.Random(3)
    truth = 6 / math.pi * math.asin(0.6 / 2)  # of two normals with Pearson's correlation 0.6

    def holds() -> bool:
        x = [draw.gauss(0, 1) for _ in range(60)]
        found = spearman(x, [0.6 * a + 0.8 * draw.gauss(0, 1) for a in x])
        return (found.low or -1) <= truth <= (found.high or 1)

    assert fmean(holds() for _ in range(800)) == pytest.approx(0.95, abs=0.025)


def test_spearman_without_differences_or_with_three_pairs_says_why_there_is_none() -> None:
    assert spearman([1, 1, 1, 1], [1, 2, 3, 4]).reason == "all values are equal"
    assert spearman([1, 2, 3], [1, 2, 3]).reason == "3 pairs, and 4 are the least"


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_is_mann_and_whitneys_u_over_the_number_of_pairs(rows: list[tuple[int, bool]]) -> None:
    good, bad = [v for v, label in rows if label], [v for v, label in rows if not label]
    assume(good and bad)
    u = stats.mannwhitneyu(good, bad, method="asymptotic", use_continuity=False).statistic
    assert value(auc([v for v, _ in rows], [label for _, label in rows])) == pytest.approx(u / len(good) / len(bad))


def test_auc_of_one_kind_of_labels_is_not_measured() -> None:
    found = auc([0.1, 0.2], [True, True])
    assert (found.value, found.reason) == (None, "2 good and 0 bad labels, and one of each is the least")


def test_kappa_of_a_textbook_table() -> None:
    # 20 both yes, 15 both no, 5 and 10 apart: p_o = .70, p_e = .50
    assert value(kappa(Confusion(both=20, measured_only=5, labelled_only=10, neither=15))) == pytest.approx(0.4)


@given(COUNTS, COUNTS)
def test_kappa_of_full_agreement_is_one_unless_there_is_one_word_only(yes: int, no: int) -> None:
    found = kappa(Confusion(both=yes, measured_only=0, labelled_only=0, neither=no))
    assert found.value == (pytest.approx(1.0) if yes and no else None)


def test_the_confusion_counts_each_pair_once() -> None:
    table = confusion([True, True, False, False, True], [True, False, True, False, True])
    assert table == Confusion(both=2, measured_only=1, labelled_only=1, neither=1)
    assert (table.total, table.good, table.bad) == (5, 3, 2)


@given(st.integers(0, 30), st.integers(1, 30))
def test_a_share_has_wilsons_interval(count: int, more: int) -> None:
    n = count + more
    interval = stats.binomtest(count, n).proportion_ci(method="wilson")
    found = share(count, n)
    assert found.low == pytest.approx(interval.low, abs=1e-9)
    assert found.high == pytest.approx(interval.high, abs=1e-9)


def test_the_corrected_share_takes_back_what_sensitivity_and_specificity_did() -> None:
    # Of 1000, 600 are good; se .9 and sp .8 show 600 * .9 + 400 * .2 = 620.
    table = Confusion(both=90, measured_only=20, labelled_only=10, neither=80)
    assert value(corrected_share(620, 1000, table)) == pytest.approx(0.6)


def test_a_measure_no_better_than_chance_corrects_nothing() -> None:
    found = corrected_share(50, 100, Confusion(both=5, measured_only=5, labelled_only=5, neither=5))
    assert found.value is None
    assert "no better than chance" in found.reason


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 100))
def test_the_corrected_share_stays_a_share_inside_its_interval(a: int, b: int, c: int, d: int, passed: int) -> None:
    found = corrected_share(passed, 100, Confusion(both=a, measured_only=b, labelled_only=c, neither=d))
    if found.value is not None and found.low is not None and found.high is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_corrected_shares_interval_holds_the_truth_about_95_times_of_100() -> None:
    draw = random.Random(11)

    def holds() -> bool:
        hits, rejected = drawn(0.85, 80, draw), drawn(0.75, 60, draw)
        table = Confusion(both=hits, labelled_only=80 - hits, neither=rejected, measured_only=60 - rejected)
        found = corrected_share(drawn(0.7 * 0.85 + 0.3 * 0.25, 300, draw), 300, table)
        return found.low is not None and found.high is not None and found.low <= 0.7 <= found.high

    assert 0.92 <= fmean(holds() for _ in range(1500)) <= 0.99


def test_the_clustered_error_is_the_spread_of_means_that_are_measured_again() -> None:
    draw = random.Random(5)

    def run() -> list[tuple[str, float]]:
        shifts = {f"intent{k}": draw.gauss(0, 0.2) for k in range(25)}
        return [(name, shift + draw.gauss(0, 0.1)) for name, shift in shifts.items() for _ in range(6)]

    runs = [clustered_mean(run()) for _ in range(800)]
    assert fmean(error or 0.0 for _, error in runs) == pytest.approx(pstdev(mean for mean, _ in runs), rel=0.08)


def test_one_cluster_counts_its_values_one_by_one() -> None:
    mean, error = clustered_mean([("a", 0.0), ("a", 0.2), ("a", 0.4)])
    assert mean == pytest.approx(0.2)
    assert error == pytest.approx(0.2 / math.sqrt(3))
    assert clustered_mean([("a", 0.3)]) == (0.3, None)
