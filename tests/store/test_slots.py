from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from monitor.check import CheckStatus
from monitor.errors import StaleWrite
from monitor.store import Closing, Store
from tests.store.samples import (
    NOW,
    a_check,
    a_conversation,
    after,
    an_ended_check,
    claim_held,
    claim_slot,
)


def test_a_free_slot_is_given_to_who_asks_first(store: Store, other: Store) -> None:
    slot = claim_held(store, "a")
    assert claim_slot(other, "b") is None
    assert (slot.owner, slot.version, slot.attempt, slot.lease_until) == ("a", 1, 1, after(60))


def test_the_same_time_in_another_zone_is_the_same_slot(store: Store) -> None:
    claim_held(store)
    assert claim_slot(store, at=NOW.astimezone(timezone(timedelta(hours=5)))) is None


def test_a_slot_whose_lease_ran_out_is_given_a_second_time(store: Store, other: Store) -> None:
    claim_held(store, "a")
    again = claim_held(other, "b", seconds=61)
    assert (again.owner, again.version, again.attempt) == ("b", 2, 2)


def test_a_slot_is_never_given_a_third_time(store: Store) -> None:
    claim_held(store)
    claim_held(store, seconds=61)
    assert claim_slot(store, seconds=200) is None


def test_a_lost_slot_past_its_grace_is_left_alone(store: Store) -> None:
    claim_held(store)
    assert claim_slot(store, seconds=3601) is None


def test_a_renewed_slot_stays_with_its_owner(store: Store) -> None:
    slot = store.renew_slot(claim_held(store), now=after(50), lease_seconds=60)
    assert slot.lease_until == after(110)
    assert claim_slot(store, "b", seconds=61) is None


def test_a_slot_that_was_taken_over_cannot_be_renewed(store: Store, other: Store) -> None:
    slot = claim_held(store, "a")
    claim_held(other, "b", seconds=61)
    with pytest.raises(StaleWrite, match="taken over"):
        store.renew_slot(slot, now=after(62), lease_seconds=60)


def test_a_slot_whose_check_ended_is_done_for_good(store: Store) -> None:
    slot = claim_held(store)
    store.open_check(a_check(slot_at=NOW), slot)
    store.close_check(Closing(check=an_ended_check(slot_at=NOW), slot=slot))
    assert claim_slot(store, "b", seconds=600) is None


def test_a_slot_whose_check_was_aborted_is_given_again_before_its_lease_ends(store: Store) -> None:
    slot = claim_held(store)
    store.open_check(a_check(slot_at=NOW), slot)
    store.close_check(Closing(check=an_ended_check(slot_at=NOW, status=CheckStatus.ABORTED), slot=slot))
    assert claim_held(store, seconds=5).attempt == 2


def test_the_check_of_a_slot_that_is_taken_over_becomes_aborted(store: Store, other: Store) -> None:
    store.open_check(a_check(slot_at=NOW), claim_held(store, "a"))
    claim_held(other, "b", seconds=61)
    check = store.check("c1")
    assert check and check.status is CheckStatus.ABORTED


def test_a_sleeper_can_save_nothing_after_it_was_taken_over(store: Store, other: Store) -> None:
    slot = claim_held(store, "a")
    store.open_check(a_check(slot_at=NOW), slot)
    claim_held(other, "b", seconds=61)
    with pytest.raises(StaleWrite):
        store.save_conversation(a_conversation(), slot)
    with pytest.raises(StaleWrite):
        store.close_check(Closing(check=an_ended_check(slot_at=NOW), slot=slot))
    with pytest.raises(StaleWrite):
        store.open_check(a_check("c2", slot_at=NOW), slot)
    assert store.conversations("c1") == []


def test_the_last_slot_is_the_newest_of_its_suite(store: Store) -> None:
    claim_held(store)
    claim_held(store, at=after(14400))
    assert store.last_slot("main") == after(14400)
    assert store.last_slot("another") is None


def test_a_slot_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="without a zone"):
        claim_slot(store, at=datetime(2026, 3, 1))
    assert store.last_slot("main") is None


def test_times_come_back_aware_and_in_utc(store: Store) -> None:
    claim_held(store, at=datetime(2026, 3, 1, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-8))))
    at = store.last_slot("main")
    assert at == datetime(2026, 3, 1, 10, 30, 0, 123456, tzinfo=UTC)
    assert at.utcoffset() == timedelta(0)
