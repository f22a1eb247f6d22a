"""Checks as points of a trend, and conversations as lines of a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.check import CheckRecord, CheckStatus, Trigger
from monitor.score import ComponentScore, ItemScore, Score
from monitor.store import Closing, Store, point_of
from monitor.transcript import EndReason
from tests.store.samples import (
    a_check,
    a_conversation,
    a_score,
    a_summary,
    a_transcript,
    after,
    an_ended_check,
    an_incident,
)


def keep(store: Store, check: CheckRecord, **changes: object) -> CheckRecord:
    """Store a check with what it opened."""
    store.open_check(replace(check, status=CheckStatus.RUNNING, summary=None, finished_at=None), None)
    if check.status is not CheckStatus.RUNNING:
        nothing = {"verdicts": (), "states": (), "opened": (), "closed": (), "notifications": ()}
        store.close_check(Closing(check=check, slot=None, **{**nothing, **changes}))  # type: ignore[arg-type]
    return check


def three(store: Store) -> list[CheckRecord]:
    """Three checks, oldest first; the second was made by hand."""
    return [
        keep(store, an_ended_check("k1", started_at=after(0))),
        keep(store, an_ended_check("k2", started_at=after(100), trigger=Trigger.MANUAL)),
        keep(store, a_check("k3", started_at=after(200))),
    ]


def test_checks_come_as_points_newest_first(store: Store) -> None:
    first, _, running = three(store)
    assert store.history("main", limit=9) == [point_of(running), point_of(first)]


def test_intents_come_by_check_all_of_them_or_some(store: Store) -> None:
    intents = tuple(replace(a_summary().intents[0], intent_id=name, fingerprint=name * 3) for name in ("a", "b"))
    keep(store, an_ended_check("k1", summary=replace(a_summary(), intents=intents)))
    keep(store, a_check("k2"))
    assert store.intents_of(["k1", "k2", "gone"]) == {"k1": intents}
    assert store.intents_of(["k1"], only=["b"]) == {"k1": intents[1:]}


def test_checks_made_by_hand_are_there_for_who_asks(store: Store) -> None:
    three(store)
    assert [point.id for point in store.history("main", limit=9, alerting_only=False)] == ["k3", "k2", "k1"]


def test_pages_of_checks_meet_without_gap_or_overlap_also_where_times_are_equal(store: Store) -> None:
    for number in range(5):
        keep(store, an_ended_check(f"k{number}", started_at=after(0)))
    pages = [store.history("main", limit=2)]
    while pages[-1]:
        pages.append(store.history("main", limit=2, before=pages[-1][-1].id))
    assert [[point.id for point in page] for page in pages] == [["k4", "k3"], ["k2", "k1"], ["k0"], []]


def test_before_a_check_that_is_not_there_is_nothing(store: Store) -> None:
    three(store)
    assert store.history("main", limit=9, before="gone") == []


def failing(critical: bool) -> Score:
    item = ItemScore(id="days", kind="required_fact", value=0.0, reason="not found", critical=critical)
    return Score(value=0.8, reason="", gate=1.0, components=(ComponentScore(name="task", value=0.8, items=(item,)),))


@pytest.mark.parametrize(
    ("score", "end"),
    [
        (a_score(), EndReason.USER_ENDED),
        (failing(critical=True), EndReason.USER_ENDED),
        (failing(critical=False), EndReason.USER_ENDED),
        (replace(a_score(), value=0.2), EndReason.MAX_TURNS),
        (replace(a_score(), value=None, reason="no judge"), EndReason.USER_ENDED),
        (replace(a_score(), value=None, reason="not scored"), EndReason.HTTP_STATUS),
    ],
)
def test_a_line_says_what_the_conversation_says(store: Store, score: Score, end: EndReason) -> None:
    keep(store, a_check())
    talk = a_conversation(score=score, transcript=a_transcript(end=end, outcome=end.outcome))
    store.save_conversation(talk, None)
    (line,) = store.lines(talk.check_id)
    wanted = None if talk.value is None else bool(score.passed)
    assert (line.id, line.value, line.passed, line.end) == (talk.id, talk.value, wanted, end)
    assert line.duration_seconds == talk.transcript.duration_seconds


def test_the_lines_of_one_intent_come_newest_first_from_the_checks_that_are_named(store: Store) -> None:
    for number in range(3):
        keep(store, a_check(f"k{number}"))
        for intent in ("return", "other"):
            transcript = a_transcript(finished_at=after(number))
            talk = a_conversation(f"{intent}{number}", check_id=f"k{number}", intent_id=intent, transcript=transcript)
            store.save_conversation(talk, None)
    found = store.intent_lines(["k0", "k2"], "return", limit=9)
    assert [line.id for line in found] == ["return2", "return0"]
    assert [line.id for line in store.intent_lines(["k0", "k2"], "return", limit=1)] == ["return2"]
    assert store.finished("k1") == 2


def test_incidents_are_listed_by_whether_they_are_open_and_page_by_page(store: Store) -> None:
    opened = [an_incident(f"i{n}", scope=f"main/{n}", opened_at=after(10 * (n // 2))) for n in range(4)]
    keep(store, an_ended_check("k1"), opened=tuple(opened))
    ended = replace(opened[0], closed_at=after(50), close_reason="well again")
    keep(store, an_ended_check("k2"), closed=(ended,))
    assert [one.id for one in store.incidents_before(is_open=True)] == ["i3", "i2", "i1"]
    assert store.incidents_before(is_open=False) == [ended]
    assert [one.id for one in store.incidents_before(limit=2)] == ["i3", "i2"]
    assert [one.id for one in store.incidents_before(before="i2")] == ["i1", "i0"]
    assert [one.id for one in store.incidents_since(after(50), limit=9)] == ["i3", "i2", "i1", "i0"]
    assert [one.id for one in store.incidents_since(after(51), limit=9)] == ["i3", "i2", "i1"]
    assert [one.id for one in store.incidents_since(after(51), scope="main/2", limit=9)] == ["i2"]
    assert [one.id for one in store.incidents_since(after(51), suite="main", limit=2)] == ["i3", "i2"]
    assert store.incidents_since(after(51), suite="mai", limit=9) == []
