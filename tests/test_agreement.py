"""Figures of agreement against scipy, against published examples and against simulation."""

from __future__ import annotations

import math
import random
from statistics import fmean, pstdev

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from monitor.agreement import (
    Confusion,
    Z,
    auc,
    auc_variance,
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


def test_z_is_the_normal_distributions() -> None:
    assert pytest.approx(stats.norm.ppf(0.975), abs=1e-12) == Z


def test_spearmans_interval_is_fishers_with_bonett_and_wrights_error() -> None:
    found = spearman([1, 2, 3, 4, 5, 6, 7, 8], [2, 1, 4, 3, 5, 7, 6, 8])
    r = 1 - 6 * 6 / (8 * 63)  # by the sum of the squared differences of ranks
    half = 1.959964 * math.sqrt((1 + r**2 / 2) / 5)
    assert value(found) == pytest.approx(r)
    assert found.low == pytest.approx(math.tanh(math.atanh(r) - half), abs=1e-6)
    assert found.high == pytest.approx(math.tanh(math.atanh(r) + half), abs=1e-6)


def test_the_areas_variance_is_that_of_hanley_and_mcneils_example() -> None:
    # Hanley and McNeil (1982): 51 abnormal and 58 normal images, area .893, standard error .032.
    assert math.sqrt(auc_variance(0.893, 51, 58)) == pytest.approx(0.032, abs=0.0005)


@pytest.mark.parametrize("a", [0.0, 0.1, 0.5, 0.8, 0.99, 1.0])
@pytest.mark.parametrize("n", [1, 7, 40])
def test_the_areas_variance_for_groups_of_one_size_is_hanley_and_mcneils_with_its_q1_and_q2(a: float, n: int) -> None:
    q1 = a / (2 - a)  # two good ones above one bad one
    q2 = 2 * a**2 / (1 + a)  # one good one above two bad ones
    exact = (a * (1 - a) + (n - 1) * (q1 - a**2) + (n - 1) * (q2 - a**2)) / n**2
    assert auc_variance(a, n, n) == pytest.approx(exact, abs=1e-12)


def ordered(good: int, bad: int, swapped: int) -> tuple[list[float], list[bool]]:
    """Good ones above bad ones, but for the lowest good one, which lies below so many bad ones."""
    values = [float(-index) for index in range(bad)] + [float(1 + index) for index in range(good)]
    values[bad] = 0.5 - swapped
    return values, [False] * bad + [True] * good


@pytest.mark.parametrize(("good", "bad", "swapped"), [(10, 10, 0), (12, 30, 0), (5, 8, 3), (40, 15, 15)])
def test_the_areas_interval_is_newcombes_fifth(good: int, bad: int, swapped: int) -> None:
    found = auc(*ordered(good, bad, swapped))
    a, n = 1 - swapped / good / bad, (good + bad) / 2 - 1

    def over(area: float) -> float:
        variance = area * (1 - area) / (good * bad) * (1 + n * (1 - area) / (2 - area) + n * area / (1 + area))
        return (a - area) ** 2 - stats.norm.ppf(0.975) ** 2 * variance

    assert value(found) == pytest.approx(a)
    assert found.low == pytest.approx(optimize.brentq(over, 1e-9, a - 1e-6), abs=1e-6)
    assert found.high == pytest.approx(1.0 if not swapped else optimize.brentq(over, a + 1e-6, 1 - 1e-9), abs=1e-6)


def test_an_area_of_one_or_none_has_an_interval_all_the_same() -> None:
    values = [float(index) for index in range(20)]
    best, worst = auc(values, [index >= 10 for index in range(20)]), auc(values, [index < 10 for index in range(20)])
    assert best.low is not None and worst.high is not None
    assert (best.high, worst.low) == (1.0, 0.0)
    assert 0.6 < best.low < 0.9
    assert worst.high == pytest.approx(1 - best.low)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_the_areas_interval_is_never_without_a_width(rows: list[tuple[int, bool]]) -> None:
    assume(len({label for _, label in rows}) == 2)
    found = auc([v for v, _ in rows], [label for _, label in rows])
    assert found.low is not None and found.high is not None
    assert 0 <= found.low <= value(found) <= found.high <= 1
    assert found.high - found.low > 0.05


def test_the_areas_interval_holds_the_truth_about_95_times_of_100() -> None:
    draw = random.Random(8)
    truth = stats.norm.cdf(1.8 / math.sqrt(2))

    def holds() -> bool:
        values = [draw.gauss(1.8, 1) for _ in range(12)] + [draw.gauss(0, 1) for _ in range(18)]
        found = auc(values, [True] * 12 + [False] * 18)
        return found.low is not None and found.high is not None and found.low <= truth <= found.high

    assert fmean(holds() for _ in range(1500)) == pytest.approx(0.95, abs=0.025)


def test_kappas_interval_has_cohens_error() -> None:
    # p_o = .70 and p_e = .50 of 50 pairs: the error is sqrt(.7 * .3 / 50) / .5 = .1296.
    found = kappa(Confusion(both=20, measured_only=5, labelled_only=10, neither=15))
    assert found.low == pytest.approx(0.4 - 0.25403, abs=1e-4)
    assert found.high == pytest.approx(0.4 + 0.25403, abs=1e-4)


@pytest.mark.parametrize(
    ("table", "kappa_value", "reason"),
    [
        (Confusion(both=20, measured_only=0, labelled_only=0, neither=20), 1.0, "no interval: all pairs agree"),
        (Confusion(both=0, measured_only=20, labelled_only=20, neither=0), -1.0, "no interval: no pair agrees"),
    ],
)
def test_kappa_at_its_ends_has_no_interval_in_place_of_one_without_a_width(
    table: Confusion, kappa_value: float, reason: str
) -> None:
    found = kappa(table)
    assert (found.value, found.low, found.high, found.reason) == (kappa_value, None, None, reason)


@pytest.mark.parametrize(
    ("passed", "n", "table"),
    [
        (620, 1000, Confusion(both=90, measured_only=20, labelled_only=10, neither=80)),
        (30, 60, Confusion(both=25, measured_only=4, labelled_only=5, neither=16)),
        (9, 10, Confusion(both=12, measured_only=1, labelled_only=0, neither=9)),
    ],
)
def test_the_corrected_shares_interval_is_lang_and_reiczigels(passed: int, n: int, table: Confusion) -> None:
    # Their formulas in full, with z' = z^2 / 2 successes added to n, and one to each of sensitivity and specificity.
    z = stats.norm.ppf(0.975)
    n_, n_se, n_sp = n + z**2, table.good + 2, table.bad + 2
    p_, se_, sp_ = (passed + z**2 / 2) / n_, (table.both + 1) / n_se, (table.neither + 1) / n_sp
    p = (p_ + sp_ - 1) / (se_ + sp_ - 1)
    dp = 2 * z**2 * (p * se_ * (1 - se_) / n_se - (1 - p) * sp_ * (1 - sp_) / n_sp)
    variance = p_ * (1 - p_) / n_ + p**2 * se_ * (1 - se_) / n_se + (1 - p) ** 2 * sp_ * (1 - sp_) / n_sp
    half = z * math.sqrt(variance) / abs(se_ + sp_ - 1)
    found = corrected_share(passed, n, table)
    assert found.low == pytest.approx(max(0.0, p + dp - half))
    assert found.high == pytest.approx(min(1.0, p + dp + half))


def test_the_clustered_error_is_liang_and_zegers_sum() -> None:
    # Mean .3; deviations by cluster a: -.3 - .1 = -.4, b: .1 + .3 = .4; sqrt(2 / 1 * (.16 + .16)) / 4 = .2.
    mean, error = clustered_mean([("a", 0.0), ("a", 0.2), ("b", 0.4), ("b", 0.6)])
    assert mean == pytest.approx(0.3)
    assert error == pytest.approx(0.2)
