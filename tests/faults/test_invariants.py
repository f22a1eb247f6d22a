"""The invariants see what they are there for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from monitor.check import CheckRecord, CheckStatus, Trigger
from monitor.store import Closing, Store, counters
from tests.faults.invariants import (
    connected,
    every_end_was_opened,
    every_open_has_ended,
    every_slot_is_counted_once,
    no_check_outlives_its_lease,
    nothing_confidential,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
LEASE_SECONDS = 60.0


def told(*kinds: str, channel: str = "slack") -> list[dict[str, str]]:
    return [{"channel": channel, "kind": kind, "dedup_key": "k"} for kind in kinds]


def test_an_open_without_an_end_is_seen() -> None:
    every_open_has_ended(told("open", "update", "resolve", "info"))
    for kinds in (("open",), ("open", "resolve", "open"), ("open", "update")):
        with pytest.raises(AssertionError, match="O1"):
            every_open_has_ended(told(*kinds))


def test_an_end_without_an_open_is_seen() -> None:
    every_end_was_opened([*told("open", "resolve", "resolve", "open"), *told("info", channel="pagerduty")])
    for wrong in (told("resolve"), [*told("open"), *told("resolve", channel="pagerduty")], told("info", "resolve")):
        with pytest.raises(AssertionError, match="O2"):
            every_end_was_opened(wrong)


@pytest.mark.parametrize("text", ["token=hunter2-hunter2", "he said It is thirty days. so"])
def test_a_secret_and_a_turn_are_seen(text: str) -> None:
    nothing_confidential("check_done mean=0.9", "a log", ["hunter2-hunter2", "It is thirty days."])
    with pytest.raises(AssertionError, match="O5"):
        nothing_confidential(text, "a log", ["hunter2-hunter2", "It is thirty days."])


@pytest.fixture
def connection(outbox_url: str) -> Iterator[Connection]:
    """The database with one slot, whose check runs."""
    store = Store.open(outbox_url)
    run_again(store)
    store.close()
    with connected(outbox_url) as connection:
        yield connection


def run_again(store: Store, check_id: str = "c1") -> None:
    """Claim the slot for the first time, or after it was lost, and open its check."""
    slot = store.claim_slot(
        "s", AT, owner="me", now=AT, lease_seconds=LEASE_SECONDS, second_attempt_grace_seconds=LEASE_SECONDS
    )
    store.open_check(running(check_id), slot)


def running(check_id: str) -> CheckRecord:
    return CheckRecord(
        id=check_id,
        suite="s",
        trigger=Trigger.SCHEDULE,
        status=CheckStatus.RUNNING,
        epoch="e",
        seed=1,
        started_at=AT,
        planned=1,
        slot_at=AT,
    )


def test_a_check_that_runs_beyond_its_lease_is_seen(connection: Connection) -> None:
    no_check_outlives_its_lease(connection, AT + timedelta(seconds=LEASE_SECONDS))
    with pytest.raises(AssertionError, match="O3"):
        no_check_outlives_its_lease(connection, AT + timedelta(seconds=LEASE_SECONDS + 10))


def test_a_slot_with_two_results_and_a_wrong_count_are_seen(outbox_url: str) -> None:
    store = Store.open(outbox_url)
    for check_id in ("c1", "c2"):
        check = running(check_id)
        store.open_check(check, None)
        store.close_check(Closing(check=replace(check, status=CheckStatus.HEALTHY, finished_at=AT)))
        with connected(outbox_url) as connection:
            if check_id == "c1":
                every_slot_is_counted_once(connection)
            else:
                with pytest.raises(AssertionError, match="O7: slots"):
                    every_slot_is_counted_once(connection)
    store.close()


def test_an_end_that_was_counted_twice_is_seen(connection: Connection) -> None:
    every_slot_is_counted_once(connection)
    counters.count(connection, counters.CHECKS, [("s", "healthy")])
    with pytest.raises(AssertionError, match="O7: counted"):
        every_slot_is_counted_once(connection)
