"""Lists in parts: whole, in order, without gaps when rows come meanwhile, by filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from monitor.audit import AuditEntry
from monitor.check import CheckStatus, Trigger
from monitor.score import ComponentScore, ItemScore, Score
from monitor.store import AlertChanges, Closing, Store, conversation_list
from monitor.store.conversation_list import ConversationsWanted
from monitor.store.listing import ChecksWanted
from monitor.store.places import Part, Place, Span
from monitor.suppression import Silence
from monitor.transcript import EndReason, Outcome
from tests.store.samples import (
    NOW,
    a_check,
    a_conversation,
    a_score,
    a_state,
    a_summary,
    a_transcript,
    after,
    an_ended_check,
    an_incident,
)

T = TypeVar("T")
ALL = ConversationsWanted()


def walk(part: Callable[[Place | None], Part[T]]) -> list[tuple[T, ...]]:
    """Every part of a list, in order."""
    parts, place = [], None
    while True:
        found = part(place)
        parts.append(found.rows)
        if found.next is None:
            return parts
        place = found.next


def store_conversations(store: Store, count: int) -> None:
    """Conversations v0, v1, ..., of which each two end at once."""
    store.open_check(a_check(), None)
    for number in range(count):
        transcript = a_transcript(finished_at=after(number // 2))
        store.save_conversation(a_conversation(f"v{number}", transcript=transcript), None)


def ids(store: Store, **wanted: object) -> list[str]:
    return [row.id for row in store.lists.conversations(ConversationsWanted(**wanted), limit=200).rows]  # type: ignore[arg-type]


def test_conversations_come_newest_first_in_parts_that_lose_and_repeat_none(store: Store) -> None:
    store_conversations(store, 5)
    parts = walk(lambda place: store.lists.conversations(ALL, after=place, limit=2))
    assert [[row.id for row in part] for part in parts] == [["v4", "v3"], ["v2", "v1"], ["v0"]]


def test_a_list_that_ends_with_a_part_does_not_go_on(store: Store) -> None:
    store_conversations(store, 4)
    assert store.lists.conversations(ALL, limit=4).next is None
    assert store.lists.conversations(ALL, limit=3).next is not None


def test_new_rows_move_none_of_the_later_parts(store: Store) -> None:
    store_conversations(store, 4)
    first = store.lists.conversations(ALL, limit=2)
    store.save_conversation(a_conversation("v9", transcript=a_transcript(finished_at=after(99))), None)
    assert [row.id for row in store.lists.conversations(ALL, after=first.next, limit=2).rows] == ["v1", "v0"]


def test_a_place_without_a_row_is_a_place(store: Store) -> None:
    store_conversations(store, 4)
    found = store.lists.conversations(ALL, after=Place(at=after(0.5), id=""), limit=9)
    assert [row.id for row in found.rows] == ["v1", "v0"]
    no_text = Place(at=after(0.5), id="\x00\ud800")
    assert store.lists.conversations(ALL, after=no_text, limit=9).rows == found.rows


def test_an_entry_tells_what_is_known_of_a_conversation(store: Store) -> None:
    store_conversations(store, 1)
    (entry,) = store.lists.conversations(ALL, limit=1).rows
    assert (entry.suite, entry.check_id, entry.intent_id, entry.epoch) == ("main", "c1", "return", "0123456789ab")
    assert (entry.score, entry.value, entry.passed, entry.end) == (0.9, 0.9, True, EndReason.USER_ENDED)


def scored(value: float | None, *items: ItemScore) -> Score:
    return Score(value=value, reason="", gate=1.0, components=(ComponentScore(name="task", value=value, items=items),))


CRITICAL = ItemScore(id="x", kind="judge", value=0.0, reason="", critical=True)
KINDS: dict[str, tuple[Score, EndReason]] = {
    "well": (a_score(), EndReason.USER_ENDED),
    "low": (scored(0.3), EndReason.USER_ENDED),
    "critical": (scored(0.8, CRITICAL), EndReason.USER_ENDED),
    "failed": (a_score(), EndReason.HTTP_STATUS),
    "ours": (scored(None), EndReason.JUDGE),
}


@pytest.fixture
def kinds(store: Store) -> Store:
    """One conversation of each kind, in two suites."""
    store.open_check(a_check(), None)
    store.open_check(a_check("c2", suite="other"), None)
    for number, (name, (score, end)) in enumerate(KINDS.items()):
        store.save_conversation(
            a_conversation(
                name,
                check_id="c2" if name == "ours" else "c1",
                intent_id="refund" if name == "low" else "return",
                persona="terse" if name == "well" else None,
                score=score,
                transcript=a_transcript(end=end, outcome=end.outcome, finished_at=after(number)),
            ),
            None,
        )
    return store


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "ours failed critical low well"),
        ({"passed": True}, "well"),
        ({"passed": False}, "failed critical low"),
        ({"outcome": Outcome.JUDGE_ERROR}, "ours"),
        ({"least": 0.8}, "critical well"),
        ({"most": 0.3}, "failed low"),
        ({"least": 0.1, "most": 0.85}, "critical low"),
        ({"intent_id": "refund"}, "low"),
        ({"persona": "terse"}, "well"),
        ({"suite": "main", "passed": False}, "failed critical low"),
        ({"suite": "other"}, "ours"),
        ({"suite": "no\x00ne"}, ""),
        ({"check_id": "c1", "intent_id": "return"}, "failed critical well"),
        ({"finished": Span(since=after(1), until=after(3))}, "critical low"),
        ({"finished": Span(since=after(3), until=after(1))}, ""),
    ],
)
def test_conversations_are_found_by_what_is_wanted(kinds: Store, wanted: dict[str, object], expected: str) -> None:
    assert ids(kinds, **wanted) == expected.split()


def test_an_entry_says_of_passing_what_the_whole_conversation_says(kinds: Store) -> None:
    for row in kinds.lists.conversations(ALL, limit=9).rows:
        whole = kinds.conversation(row.id)
        assert whole is not None
        assert (row.score, row.value) == (whole.score.value, whole.value), row.id
        counts = whole.is_valid and whole.transcript.outcome is Outcome.COMPLETED
        assert row.passed is (whole.score.passed if counts else False if whole.is_valid else None), row.id


def test_no_part_walks_over_more_rows_than_it_may(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # The real bounds take too many rows for a test.
    monkeypatch.setattr(conversation_list, "STEP", 2)
    monkeypatch.setattr(conversation_list, "MOST_SEEN", 4)
    store_conversations(store, 9)
    rare = ConversationsWanted(outcome=Outcome.JUDGE_ERROR)
    parts = walk(lambda place: store.lists.conversations(rare, after=place, limit=2))
    assert parts == [(), (), ()]
    for limit in (1, 2, 3, 9):
        some = ConversationsWanted(outcome=Outcome.COMPLETED)
        found = walk(lambda place: store.lists.conversations(some, after=place, limit=limit))  # noqa: B023
        assert [row.id for part in found for row in part] == [f"v{n}" for n in reversed(range(9))]


def test_checks_are_found_by_what_is_wanted(store: Store) -> None:
    for number, (suite, trigger, epoch) in enumerate(
        [("main", Trigger.SCHEDULE, "e1"), ("other", Trigger.MANUAL, "e1"), ("main", Trigger.MANUAL, "e2")]
    ):
        check = a_check(f"c{number}", suite=suite, trigger=trigger, epoch=epoch, started_at=after(number))
        store.open_check(check, None)
    store.close_check(Closing(check=an_ended_check("c2", epoch="e2", trigger=Trigger.MANUAL, started_at=after(2))))

    def found(**wanted: object) -> Sequence[str]:
        return [row.id for row in store.lists.checks(ChecksWanted(**wanted), limit=9).rows]  # type: ignore[arg-type]

    assert [found(), found(suite="main"), found(epoch="e2")] == [["c2", "c1", "c0"], ["c2", "c0"], ["c2"]]
    assert [found(status=CheckStatus.RUNNING), found(trigger=Trigger.MANUAL)] == [["c1", "c0"], ["c2", "c1"]]
    assert found(started=Span(since=after(1), until=after(2))) == ["c1"]
    (shown,) = store.lists.checks(ChecksWanted(epoch="e2"), limit=1).rows
    assert shown.summary == replace(a_summary(), intents=())
    parts = walk(lambda place: store.lists.checks(ChecksWanted(), after=place, limit=1))
    assert [row.id for part in parts for row in part] == ["c2", "c1", "c0"]


def test_incidents_are_found_open_closed_and_by_time(store: Store) -> None:
    store.open_check(a_check(), None)
    store.close_check(
        Closing(
            check=an_ended_check(),
            states=(a_state(),),
            opened=(an_incident(), an_incident("i2", scope="main/return", opened_at=after(60))),
        )
    )
    store.change_alerts(AlertChanges(closed=(an_incident(closed_at=after(90), close_reason="over"),)))

    def found(is_open: bool | None = None, opened: Span | None = None) -> list[str]:
        return [row.id for row in store.lists.incidents(is_open=is_open, opened=opened, limit=9).rows]

    assert [found(), found(True), found(False)] == [["i2", "i1"], ["i2"], ["i1"]]
    assert [found(opened=Span(since=after(1))), found(opened=Span(until=after(1)))] == [["i2"], ["i1"]]
    parts = walk(lambda place: store.lists.incidents(after=place, limit=1))
    assert [[row.id for row in part] for part in parts] == [["i2"], ["i1"]]


def test_silences_come_in_parts_and_those_that_are_over_are_left_out(store: Store) -> None:
    for number in range(3):
        starts_at = after(100 * number)
        made = Silence(
            id=f"s{number}", scope_pattern="*", created_by="ann", reason="x", starts_at=starts_at, ends_at=after(350)
        )
        store.add_silence(made, AuditEntry(at=NOW, actor="ann", action="silence.add", subject=made.id))
    store.expire_silence("s1", AuditEntry(at=after(120), actor="ann", action="silence.expire", subject="s1"))
    parts = walk(lambda place: store.lists.silences(after=place, limit=2))
    assert [[row.id for row in part] for part in parts] == [["s2", "s1"], ["s0"]]
    assert [row.id for row in store.lists.silences(lasting_at=after(130), limit=9).rows] == ["s2", "s0"]
    assert store.lists.silences(lasting_at=after(350), limit=9).rows == ()


def test_deeds_come_in_the_order_in_which_they_were_recorded(store: Store) -> None:
    for number in range(3):
        store.append_audit(AuditEntry(at=after(-number), actor="ann", action="x", subject=str(number)))
    first = store.lists.audit(limit=2)
    assert [deed.subject for deed in first.rows] == ["2", "1"]
    last = store.lists.audit(after=first.next, limit=2)
    assert ([deed.subject for deed in last.rows], last.next) == (["0"], None)
