"""A check beside the one before it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.check import CheckSummary, IntentSummary
from monitor.store import CheckPoint, point_of
from monitor.web.changes import SHOWN_CHANGES, change
from tests.web.examples import CHECK, SUMMARY

BEFORE = point_of(replace(CHECK, id="k0", summary=replace(SUMMARY, mean=0.8, standard_error=0.03)))
NOW = replace(SUMMARY, mean=0.6, standard_error=0.04)


def intents(**means: float | None) -> tuple[IntentSummary, ...]:
    return tuple(
        replace(SUMMARY.intents[0], intent_id=name, mean=mean, fingerprint=name) for name, mean in means.items()
    )


def played(**means: float | None) -> CheckSummary:
    return replace(NOW, intents=intents(**means))


def test_the_difference_comes_with_its_interval() -> None:
    found = change("e1", NOW, BEFORE, ())
    assert found.difference == pytest.approx(-0.2)
    assert (found.low, found.high) == pytest.approx((-0.2 - 1.96 * 0.05, -0.2 + 1.96 * 0.05))
    assert found.is_sure


def test_a_small_difference_may_be_chance() -> None:
    assert not change("e1", replace(NOW, mean=0.75), BEFORE, ()).is_sure


@pytest.mark.parametrize(
    ("now", "before", "difference"),
    [
        (replace(NOW, mean=None), BEFORE, None),
        (NOW, replace(BEFORE, mean=None), None),
        (replace(NOW, standard_error=None), BEFORE, -0.2),
    ],
)
def test_what_was_not_measured_makes_no_interval(
    now: CheckSummary, before: CheckPoint, difference: float | None
) -> None:
    found = change("e1", now, before, ())
    assert found.difference == (None if difference is None else pytest.approx(difference))
    assert (found.low, found.high, found.is_sure) == (None, None, False)


def test_checks_of_different_epochs_do_not_compare() -> None:
    found = change("e2", NOW, BEFORE, ())
    assert not found.is_comparable
    assert (found.difference, found.intents) == (None, ())


def test_of_the_intents_those_that_moved_are_listed_the_worse_ones_first() -> None:
    found = change("e1", played(a=0.9, b=0.2, c=0.5, d=None), BEFORE, intents(a=0.7, b=0.8, c=0.5, d=0.5))
    assert [(one.intent_id, round(one.difference, 3)) for one in found.intents] == [("b", -0.6), ("a", 0.2)]


def test_only_those_that_moved_most_are_listed() -> None:
    names = [f"i{n:02}" for n in range(30)]
    found = change(
        "e1",
        played(**{name: 0.5 + n / 100 for n, name in enumerate(names)}),
        BEFORE,
        intents(**dict.fromkeys(names, 0.5)),
    )
    assert [one.intent_id for one in found.intents] == names[-SHOWN_CHANGES:]


def test_edited_new_and_dropped_intents_are_named_and_not_compared() -> None:
    edited = replace(intents(a=0.1)[0], fingerprint="new")
    found = change("e1", replace(NOW, intents=(edited, *intents(b=0.5))), BEFORE, intents(a=0.9, c=0.9))
    assert (found.edited, found.added, found.gone, found.intents) == (("a",), ("b",), ("c",), ())
