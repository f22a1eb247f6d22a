"""The database's own clock, where it has one, and the slots that were claimed last."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.store import Store
from tests.store.samples import after


def test_the_clock_of_a_database_elsewhere_is_asked_and_a_file_has_none(store: Store) -> None:
    told = store.clock()
    assert (told is not None) is store.is_shared
    assert told is None or abs((told - datetime.now(UTC)).total_seconds()) < 60


def test_the_newest_slots_of_a_suite_come_first_with_their_owners(store: Store) -> None:
    for at, owner in ((after(0), "a"), (after(60), "b"), (after(120), "c")):
        store.claim_slot("main", at, owner=owner, now=at, lease_seconds=60, second_attempt_grace_seconds=0)
    assert [(slot.at, slot.owner) for slot in store.newest_slots("main", limit=2)] == [
        (after(120), "c"),
        (after(60), "b"),
    ]
    assert store.newest_slots("other", limit=2) == []
