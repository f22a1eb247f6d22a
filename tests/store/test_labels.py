"""Labels that people gave: kept as they were given, listed in parts, gone with their conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from monitor.labelling import PersonLabel, Sample
from monitor.review import Candidate
from monitor.score import ComponentScore, Departure, ItemScore, Score, UserValidity
from monitor.store import LabelsWanted, Store
from monitor.store.places import Place, Span
from monitor.transcript import EndReason
from tests.store.samples import a_check, a_closing, a_conversation, a_label, a_score, a_transcript, after

ALL = LabelsWanted()


def store_conversations(store: Store, count: int) -> None:
    """v0, v1, ..., of which each ends a second after the one before."""
    store.open_check(a_check(), None)
    for number in range(count):
        transcript = a_transcript(finished_at=after(number))
        store.save_conversation(a_conversation(f"v{number}", transcript=transcript), None)


def labels(store: Store, wanted: LabelsWanted = ALL) -> tuple[PersonLabel, ...]:
    return store.labels(wanted, limit=100).rows


def test_a_label_comes_back_as_it_was_given(store: Store) -> None:
    store_conversations(store, 2)
    plain = replace(a_label("l2", at=after(61)), sample=Sample.CHOSEN, probability=None, value=None)
    bare = replace(plain, score=None, score_passed=None)
    assert store.save_label(a_label())
    assert store.save_label(bare)
    assert labels(store) == (bare, a_label())


def test_a_label_is_written_once(store: Store) -> None:
    store_conversations(store, 2)
    assert store.save_label(a_label())
    assert store.save_label(replace(a_label(), reason="another"))
    assert labels(store) == (a_label(),)


def test_people_may_differ_and_change_their_minds(store: Store) -> None:
    store_conversations(store, 2)
    for number, (by, passed) in enumerate([("Ann", True), ("Ben", False), ("Ann", False)]):
        store.save_label(a_label(f"l{number}", by=by, passed=passed, at=after(number)))
    assert [(label.by, label.passed) for label in labels(store)] == [("Ann", False), ("Ben", False), ("Ann", True)]


def test_what_is_gone_cannot_be_labelled(store: Store) -> None:
    assert not store.save_label(a_label(conversation_id="gone"))
    assert labels(store) == ()


@pytest.mark.parametrize("share", ["value", "probability", "score"])
def test_numbers_outside_of_their_range_are_refused(store: Store, share: str) -> None:
    store_conversations(store, 2)
    with pytest.raises(ValueError, match="not finite"):
        store.save_label(replace(a_label(), **{share: float("nan")}))  # type: ignore[arg-type]
    assert labels(store) == ()


def test_labels_go_with_their_conversation(store: Store) -> None:
    store_conversations(store, 2)
    store.save_label(a_label("l0", "v0"))
    store.save_label(a_label("l1", "v1"))
    store.close_check(a_closing())
    assert store.retire(older_than=after(1), batch=10) == 1
    assert [label.id for label in labels(store)] == ["l1"]


def test_they_are_listed_newest_first_in_parts_that_lose_and_repeat_none(store: Store) -> None:
    store_conversations(store, 1)
    for number in range(5):
        store.save_label(a_label(f"l{number}", "v0", at=after(number // 2)))
    found: list[list[str]] = []
    place: Place | None = None
    while not found or place:
        part = store.labels(ALL, after=place, limit=2)
        found.append([label.id for label in part.rows])
        place = part.next
    assert found == [["l4", "l3"], ["l2", "l1"], ["l0"]]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"conversation_id": "v0"}, "l0"),
        ({"by": "Ben"}, "l1"),
        ({"sample": Sample.RANDOM}, "l2"),
        ({"epoch": "e9"}, "l1"),
        ({"passed": False}, "l2"),
        ({"given": Span(since=after(2))}, "l2"),
        ({"given": Span(until=after(1))}, "l0"),
        ({"by": "Ben", "passed": False}, ""),
    ],
)
def test_they_are_found_by_what_they_say(store: Store, wanted: dict[str, object], expected: str) -> None:
    store_conversations(store, 3)
    store.save_label(a_label("l0", "v0", at=after(0)))
    store.save_label(a_label("l1", "v1", at=after(1), by="Ben", epoch="e9"))
    store.save_label(a_label("l2", "v2", at=after(2), sample=Sample.RANDOM, passed=False))
    found = labels(store, LabelsWanted(**wanted))  # type: ignore[arg-type]
    assert " ".join(label.id for label in found) == expected


def candidates(store: Store, **span: object) -> list[Candidate]:
    return store.candidates(Span(**span), limit=10)  # type: ignore[arg-type]


def test_candidates_are_the_newest_scored_ones(store: Store) -> None:
    store_conversations(store, 3)
    unscored = Score(value=None, reason="x", gate=1.0, components=())
    store.save_conversation(a_conversation("none", score=unscored), None)
    assert [one.id for one in candidates(store)] == ["v2", "v1", "v0"]
    assert [one.id for one in candidates(store, until=after(2))] == ["v1", "v0"]
    assert [one.id for one in store.candidates(Span(), limit=2)] == ["v2"], "what is walked over is bounded too"


def judged(value: float | None, *, is_on: bool = True, kind: str = "judge") -> Score:
    item = ItemScore(id="i", kind=kind, value=value, reason="x", is_on=is_on)
    return replace(a_score(), components=(ComponentScore(name="task", value=0.9, items=(item,)),))


@pytest.mark.parametrize(
    ("score", "unsure"),
    [
        (judged(0.5), True),
        (judged(1 / 3), True),
        (judged(2 / 3, kind="quality"), True),
        (judged(0.25), False),
        (judged(0.75), False),
        (judged(1.0), False),
        (judged(None), False),
        (judged(0.5, is_on=False), False),
        (judged(0.5, kind="required_fact"), False),
    ],
)
def test_a_candidate_tells_whether_its_judge_was_sure(store: Store, score: Score, unsure: bool) -> None:
    store.open_check(a_check(), None)
    store.save_conversation(a_conversation(score=score), None)
    (found,) = candidates(store)
    assert found.has_unsure_judge is unsure


def critical(value: float | None, *, is_on: bool = True, is_critical: bool = True) -> Score:
    item = ItemScore(id="i", kind="judge", value=value, reason="x", critical=is_critical, is_on=is_on)
    return replace(a_score(), components=(ComponentScore(name="task", value=0.9, items=(item,)),))


@pytest.mark.parametrize(
    ("make", "failed"),
    [
        (lambda: critical(1.0), False),
        (lambda: critical(0.0), True),
        (lambda: critical(None), True),
        (lambda: critical(0.0, is_on=False), False),
        (lambda: critical(0.0, is_critical=False), False),
    ],
)
def test_a_candidate_passes_as_its_score_does(store: Store, make: Callable[[], Score], failed: bool) -> None:
    store.open_check(a_check(), None)
    store.save_conversation(a_conversation(score=make()), None)
    (found,) = candidates(store)
    assert (found.has_failed_critical, found.passed) == (failed, make().passed)


@pytest.mark.parametrize("departure", [None, Departure.NONE, Departure.HELPED])
def test_a_candidate_tells_whether_its_user_departed(store: Store, departure: Departure | None) -> None:
    store.open_check(a_check(), None)
    store.save_conversation(a_conversation(validity=UserValidity(departure=departure, reason="x")), None)
    store.save_conversation(a_conversation("v2"), None)
    by_id = {one.id: one for one in candidates(store)}
    assert (by_id["v1"].departure, by_id["v2"].departure) == (departure, None)
    found = by_id["v2"]
    assert (found.suite, found.intent_id, found.end, found.score) == ("main", "return", EndReason.USER_ENDED, 0.9)
