"""What is drawn to be labelled: with known probabilities, again the same, and oftener what is likelier wrong."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.labelling import Sample
from monitor.review import Candidate, draw, probabilities, risks
from monitor.score import Departure
from monitor.transcript import EndReason

SURE = Candidate(
    id="v",
    suite="shop",
    intent_id="return",
    epoch="e1",
    finished_at=datetime(2026, 3, 1, tzinfo=UTC),
    end=EndReason.USER_ENDED,
    score=0.95,
    has_failed_critical=False,
    has_unsure_judge=False,
    departure=None,
)
CRITICAL = replace(SURE, score=0.1, has_failed_critical=True)


def many(count: int, of: Candidate = SURE, name: str = "v") -> list[Candidate]:
    return [replace(of, id=f"{name}{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("candidate", "weight", "reasons"),
    [
        (SURE, 1.0, ()),
        (replace(SURE, score=0.5), 5.0, ("its score is near the limit",)),
        (replace(SURE, score=0.375), 3.0, ("its score is near the limit",)),
        (replace(SURE, score=0.75), 1.0, ()),
        (CRITICAL, 4.0, ("a critical item failed",)),
        (replace(SURE, has_unsure_judge=True), 4.0, ("its judge was not sure",)),
        (replace(SURE, departure=Departure.NONE), 1.0, ()),
        (replace(SURE, departure=Departure.MINOR), 3.0, ("its user departed from the intent",)),
        (
            replace(CRITICAL, score=0.5, departure=Departure.HELPED),
            10.0,
            ("its score is near the limit", "a critical item failed", "its user departed from the intent"),
        ),
    ],
)
def test_doubt_makes_it_likelier(candidate: Candidate, weight: float, reasons: tuple[str, ...]) -> None:
    (risk,) = risks([candidate])
    assert risk.weight == pytest.approx(weight)
    assert risk.reasons == reasons


@pytest.mark.parametrize(("usual", "weight"), [(99, 1 + 3 * (1 - 0.01 / 0.2)), (9, 2.5), (4, 1.0), (3, 1.0)])
def test_what_an_intent_seldom_does_is_likelier(usual: int, weight: float) -> None:
    rare = replace(SURE, id="rare", end=EndReason.MAX_TURNS)
    elsewhere = many(50, replace(SURE, suite="office", end=EndReason.MAX_TURNS), "w")
    found = risks([rare, *many(usual), *elsewhere])
    assert found[0].weight == pytest.approx(weight)
    assert {risk.weight for risk in found[1:]} == {1.0}


def test_to_fail_where_others_pass_is_unusual_too() -> None:
    assert risks([replace(SURE, score=0.1), *many(9)])[0].reasons == ("it came out as this intent seldom does",)


@given(st.lists(st.floats(1.0, 13.0), min_size=0, max_size=60), st.integers(1, 30))
def test_probabilities_sum_to_the_size_and_follow_the_weights(weights: list[float], size: int) -> None:
    found = probabilities(weights, size)
    assert all(0 < chance <= 1 for chance in found)
    assert math.fsum(found) == pytest.approx(min(size, len(weights)))
    below = [chance / weight for chance, weight in zip(found, weights, strict=True) if chance < 1]
    assert not below or max(below) == pytest.approx(min(below))
    certain = [weight for chance, weight in zip(found, weights, strict=True) if chance == 1]
    assert not below or all(weight * max(below) >= 1 - 1e-9 for weight in certain)


def test_one_that_outweighs_all_others_is_certain() -> None:
    assert probabilities([100.0, 1.0, 1.0, 1.0, 1.0], 2) == [1.0, 0.25, 0.25, 0.25, 0.25]


def test_no_more_than_are_wanted_are_all_drawn() -> None:
    queue = draw(many(20), "2026-03-01")
    assert len(queue.random) == len(queue.risk) == queue.of == 20
    assert {one.probability for one in queue.random} == {1.0}


def test_a_draw_can_be_repeated_and_another_seed_draws_others() -> None:
    candidates = many(300)
    assert draw(candidates, "monday") == draw(list(reversed(candidates)), "monday")
    monday, tuesday = draw(candidates, "monday"), draw(candidates, "tuesday")
    assert {one.candidate.id for one in monday.random} != {one.candidate.id for one in tuesday.random}
    assert {one.candidate.id for one in monday.random} != {one.candidate.id for one in monday.risk}


def test_each_is_drawn_as_often_as_its_probability_says() -> None:
    candidates = [*many(60), *many(20, CRITICAL, "c"), *many(4, replace(SURE, score=0.5), "d")]
    drawn: Counter[tuple[Sample, str]] = Counter()
    chances: dict[tuple[Sample, str], float] = {}
    draws = 400
    for number in range(draws):
        queue = draw(candidates, f"day {number}", size=10)
        for name in (Sample.RANDOM, Sample.RISK):
            for one in queue.sample(name):
                drawn[name, one.candidate.id[0]] += 1
                chances[name, one.candidate.id[0]] = one.probability
    sizes = Counter(one.id[0] for one in candidates)
    for (name, kind), chance in chances.items():
        tries = draws * sizes[kind]
        error = math.sqrt(chance * (1 - chance) / tries)
        assert drawn[name, kind] / tries == pytest.approx(chance, abs=4 * error), (name, kind)
    assert chances[Sample.RISK, "c"] == pytest.approx(4 * chances[Sample.RISK, "v"])
    assert chances[Sample.RANDOM, "c"] == chances[Sample.RANDOM, "v"] == pytest.approx(10 / 84)


def test_the_first_of_a_sample_are_a_sample_themselves() -> None:
    """Whoever labels only some of them begins with those whose lots were the smallest, not with the newest."""
    candidates = many(40)
    firsts = Counter(draw(candidates, str(number), size=10).random[0].candidate.id for number in range(400))
    assert max(firsts.values()) < 30


def test_a_conversation_is_found_in_its_sample_only() -> None:
    queue = draw([SURE], "x")
    found = queue.find(Sample.RANDOM, "v")
    assert found is not None and found.candidate is SURE
    assert (queue.find(Sample.CHOSEN, "v"), queue.find(Sample.RISK, "w")) == (None, None)
