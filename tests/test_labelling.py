"""Which labels count, and how far scores agree with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.agreement import Confusion, kappa, share
from monitor.labelling import FEWEST_PAIRS, PersonLabel, Sample, agreement, counting

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def label(
    number: int, *, passed: bool = True, measured: bool | None = True, by: str = "Ann", of: str = ""
) -> PersonLabel:
    return PersonLabel(
        id=f"l{number:03}",
        conversation_id=of or f"v{number}",
        at=T0 + timedelta(seconds=number),
        by=by,
        passed=passed,
        value=None,
        reason="because",
        sample=Sample.RANDOM,
        probability=0.5,
        score=None if measured is None else float(measured),
        score_passed=measured,
        epoch="e1",
    )


def test_of_one_persons_labels_of_a_conversation_the_newest_counts() -> None:
    given = [label(2, by="ann ", passed=False, of="v"), label(1, of="v"), label(3, by="Ben", of="v"), label(0, of="w")]
    assert [(one.conversation_id, one.by, one.passed) for one in counting(given)] == [
        ("w", "Ann", True),
        ("v", "ann ", False),
        ("v", "Ben", True),
    ]


def test_a_plain_yes_is_the_end_of_the_scale() -> None:
    assert [label(1).grade, label(1, passed=False).grade, replace(label(1), value=0.7).grade] == [1.0, 0.0, 0.7]


def test_agreement_is_that_of_the_pairs_beyond_chance() -> None:
    both = [label(n) for n in range(12)]
    neither = [label(n, passed=False, measured=False) for n in range(12, 20)]
    differing = [label(20, measured=False), *(label(n, passed=False) for n in range(21, 25))]
    found = agreement([*both, *neither, *differing])
    table = Confusion(both=12, measured_only=4, labelled_only=1, neither=8)
    assert (found.n, found.split, found.reason) == (25, 0, "")
    assert found.agree == share(20, 25)
    assert found.kappa == kappa(table)
    assert found.kappa and found.kappa.value == pytest.approx((0.8 - 0.5056) / (1 - 0.5056))


def test_with_too_few_nothing_is_measured_and_told_why() -> None:
    found = agreement([label(n) for n in range(FEWEST_PAIRS - 1)])
    assert (found.agree, found.kappa) == (None, None)
    assert found.reason == "19 labelled, and 20 are the least"


def test_people_who_saw_the_same_conversation_decide_by_majority() -> None:
    others = [label(n) for n in range(FEWEST_PAIRS)]
    three = [label(100 + n, by=f"p{n}", passed=n == 0, of="v") for n in range(3)]
    assert agreement([*others, *three]).agree == share(20, 21)
    found = agreement([*others, *three[:2]])
    assert (found.n, found.split, found.agree) == (20, 1, share(20, 20))


def test_what_has_no_score_is_left_out() -> None:
    found = agreement([label(n, measured=None) for n in range(30)])
    assert (found.n, found.agree) == (0, None)
