"""Tool calls that were reported beside conversations."""

from __future__ import annotations

from dataclasses import replace

from monitor.store import Store
from monitor.store.reports import MOST_PER_CONVERSATION
from monitor.transcript import Receipt, ReportedCall, ToolCall
from tests.store.samples import NOW, a_check, a_conversation, after

CALL = ToolCall(name="cancel", arguments='{"order": "A\u00e4"}', result="done", is_error=True, was_reported=True)


def a_report(report_id: str = "r1", seconds: float = 0, conversation_id: str = "v1") -> ReportedCall:
    return ReportedCall(conversation_id=conversation_id, id=report_id, at=after(seconds), call=CALL)


def test_reports_come_back_equal_and_oldest_first(store: Store, other: Store) -> None:
    late, early = a_report("a", 2), replace(a_report("b", 1), call=replace(CALL, result=None, is_error=False))
    for report in (late, early, a_report(conversation_id="v2")):
        assert store.save_reported(report) is Receipt.TAKEN
    assert other.reported("v1") == [early, late]
    assert other.reported("v3") == []


def test_a_report_is_written_once(store: Store) -> None:
    assert store.save_reported(a_report()) is Receipt.TAKEN
    again = replace(a_report(), at=after(9), call=replace(CALL, arguments='{ "order": "A\\u00e4"}'))
    assert store.save_reported(again) is Receipt.TAKEN
    assert store.reported("v1") == [a_report()]


def test_another_report_by_the_same_id_is_refused(store: Store) -> None:
    store.save_reported(a_report())
    for call in (replace(CALL, result="gone"), replace(CALL, arguments="{}"), replace(CALL, is_error=False)):
        assert store.save_reported(replace(a_report(), call=call)) is Receipt.DIFFERS
    assert store.reported("v1") == [a_report()]


def test_what_cannot_be_stored_as_it_is_is_the_same_when_it_comes_again(store: Store) -> None:
    report = replace(a_report(), call=replace(CALL, name="a\0b", result="\ud800"))
    assert [store.save_reported(report) for _ in range(2)] == [Receipt.TAKEN] * 2


def test_a_conversation_has_so_many_reports_and_no_more(store: Store) -> None:
    taken = [store.save_reported(a_report(f"r{number}")) for number in range(MOST_PER_CONVERSATION + 1)]
    assert taken == [Receipt.TAKEN] * MOST_PER_CONVERSATION + [Receipt.TOO_MANY]
    assert store.save_reported(a_report("r0")) is Receipt.TAKEN
    assert len(store.reported("v1")) == MOST_PER_CONVERSATION
    assert store.save_reported(a_report(conversation_id="v2")) is Receipt.TAKEN


def test_old_reports_are_retired_in_batches_oldest_first(store: Store) -> None:
    for number in (4, 2, 0, 3, 1):
        store.save_reported(a_report(f"r{number}", seconds=number))
    assert store.retire_reported(older_than=after(4), batch=3) == 3
    assert [report.id for report in store.reported("v1")] == ["r3", "r4"]
    assert store.retire_reported(older_than=after(4), batch=3) == 1
    assert store.retire_reported(older_than=NOW, batch=3) == 0


def test_a_report_may_come_before_its_conversation_is_stored(store: Store) -> None:
    store.save_reported(a_report())
    store.open_check(a_check(), None)
    store.save_conversation(a_conversation("v1"), None)
    assert store.reported("v1") == [a_report()]
