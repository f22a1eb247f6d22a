from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.check import CheckStatus
from monitor.errors import StaleWrite
from monitor.incident import NotificationStatus
from monitor.store import Store
from tests.store.samples import (
    NOW,
    a_check,
    a_closing,
    a_conversation,
    a_draft,
    a_state,
    a_verdict,
    after,
    an_ended_check,
    an_incident,
    claim_held,
)


def assert_nothing_was_written(store: Store) -> None:
    check = store.check("c1")
    assert check and check.status is CheckStatus.RUNNING
    assert store.verdicts("c1") == []
    assert store.incidents() == []
    assert store.notifications() == []
    assert CheckStatus.DEGRADED not in {status for _, status in store.snapshot({}, now=NOW).checks}


def test_the_end_of_a_check_is_written_whole(store: Store) -> None:
    store.open_check(a_check(), None)
    store.close_check(a_closing())
    assert store.check("c1") == a_closing().check
    assert store.verdicts("c1") == [a_verdict()]
    assert store.alert_state("main/overall") == a_state()
    assert store.incident("i1") == an_incident(opened_by_check="c1")
    assert [(n.incident_id, n.status, n.attempts) for n in store.notifications()] == [
        ("i1", NotificationStatus.PENDING, 0)
    ]


def test_a_stale_alert_state_leaves_nothing_written(store: Store, other: Store) -> None:
    store.open_check(a_check(), None)
    other.save_alert_state(a_state(acked_by="another"))
    with pytest.raises(StaleWrite, match="moved on"):
        store.close_check(a_closing())
    assert_nothing_was_written(store)


def test_a_second_open_incident_of_a_scope_leaves_nothing_written(store: Store) -> None:
    store.open_check(a_check("c0"), None)
    store.close_check(a_closing("c0", states=(), notifications=(), verdicts=()))
    store.open_check(a_check(), None)
    with pytest.raises(StaleWrite, match="open incident"):
        store.close_check(a_closing(opened=(an_incident("i2"),)))
    assert [incident.id for incident in store.incidents()] == ["i1"]
    assert store.verdicts("c1") == []


def test_closing_an_incident_that_is_not_open_leaves_nothing_written(store: Store) -> None:
    store.open_check(a_check(), None)
    with pytest.raises(StaleWrite, match="not open"):
        store.close_check(a_closing(opened=(), closed=(an_incident(closed_at=after(9)),)))
    assert_nothing_was_written(store)


def test_a_slot_that_was_taken_over_leaves_nothing_written(store: Store, other: Store) -> None:
    slot = claim_held(store, "a")
    store.open_check(a_check(), slot)
    claim_held(other, "b", seconds=61)
    with pytest.raises(StaleWrite, match="taken over"):
        store.close_check(a_closing(slot=slot))
    assert_nothing_was_written(store)


def test_closing_again_with_the_same_end_changes_nothing(store: Store) -> None:
    store.open_check(a_check(), None)
    store.close_check(a_closing())
    store.close_check(a_closing())
    assert len(store.notifications()) == 1
    assert store.snapshot({}, now=NOW).checks["main", CheckStatus.DEGRADED] == 1


def test_closing_with_another_end_is_refused(store: Store) -> None:
    store.open_check(a_check(), None)
    store.close_check(a_closing())
    with pytest.raises(StaleWrite, match="not running"):
        store.close_check(a_closing(check=an_ended_check(finished_at=after(61))))


def test_a_check_that_was_never_opened_cannot_be_closed(store: Store) -> None:
    with pytest.raises(StaleWrite, match="not running"):
        store.close_check(a_closing())


def test_a_recovery_closes_the_incident(store: Store) -> None:
    store.open_check(a_check(), None)
    store.close_check(a_closing())
    store.open_check(a_check("c2"), None)
    store.save_conversation(a_conversation(check_id="c2"), None)
    closed = replace(
        an_incident(opened_by_check="c1"), closed_at=after(90), closed_by_check="c2", close_reason="recovered"
    )
    store.close_check(a_closing("c2", states=(a_state(2),), opened=(), closed=(closed,), notifications=(a_draft(),)))
    assert store.incidents() == [closed]
    assert store.incidents(open_only=True) == []
