from __future__ import annotations

from monitor.check import CheckStatus, Trigger, Watched
from monitor.incident import NotificationStatus
from monitor.store import Closing, Store
from monitor.store.closing import AlertChanges
from monitor.transcript import Outcome
from tests.store.samples import (
    NOW,
    a_check,
    a_closing,
    a_conversation,
    a_draft,
    a_verdict,
    after,
    an_ended_check,
    an_incident,
)

SUITES = {"main": Watched(threshold=0.7), "other": Watched(threshold=0.8, stale_after_seconds=60)}


def end(store: Store, check_id: str, seconds: float, status: CheckStatus, **changes: object) -> None:
    store.open_check(a_check(check_id, started_at=after(seconds), **changes), None)
    check = an_ended_check(check_id, started_at=after(seconds), status=status, **changes)
    store.close_check(Closing(check=check, verdicts=(a_verdict(reason=check_id),)))


def test_a_blank_database_shows_the_configured_suites_and_nothing_else(store: Store) -> None:
    snapshot = store.snapshot(SUITES, now=NOW)
    assert [(s.suite, s.watched, s.last, s.last_valid) for s in snapshot.suites] == [
        (name, watched, None, None) for name, watched in SUITES.items()
    ]
    assert (snapshot.taken_at, snapshot.checks, snapshot.incidents_open) == (NOW, {}, {})


def test_a_suite_shows_its_newest_check_and_its_newest_valid_one(store: Store) -> None:
    end(store, "c1", 1, CheckStatus.HEALTHY)
    end(store, "c2", 2, CheckStatus.DEGRADED)
    end(store, "c3", 3, CheckStatus.INCONCLUSIVE)
    main, other = store.snapshot(SUITES, now=NOW).suites
    assert main.last and main.last_valid
    assert (main.last.id, main.last_valid.id) == ("c3", "c2")
    assert main.verdicts == (a_verdict(reason="c2"),)
    assert other.last is None


def test_the_check_before_is_shown_only_if_it_is_of_the_same_epoch(store: Store) -> None:
    end(store, "c1", 1, CheckStatus.HEALTHY, epoch="e1")
    end(store, "c2", 2, CheckStatus.HEALTHY, epoch="e2")
    main, _ = store.snapshot(SUITES, now=NOW).suites
    assert main.last_valid and main.last_valid.id == "c2"
    assert main.previous_valid is None


def test_checks_by_hand_are_counted_and_not_shown(store: Store) -> None:
    end(store, "c1", 1, CheckStatus.HEALTHY)
    end(store, "c2", 2, CheckStatus.DEGRADED, trigger=Trigger.MANUAL)
    snapshot = store.snapshot(SUITES, now=NOW)
    assert snapshot.suites[0].last and snapshot.suites[0].last.id == "c1"
    assert snapshot.checks == {("main", CheckStatus.HEALTHY): 1, ("main", CheckStatus.DEGRADED): 1}


def test_running_checks_and_pending_messages_are_those_of_the_moment(store: Store) -> None:
    store.open_check(a_check(), None)
    store.enqueue(a_draft(), a_draft())
    before = store.snapshot(SUITES, now=NOW)
    store.close_check(Closing(check=an_ended_check()))
    store.supersede([message.id for message in store.notifications()], now=NOW)
    now = store.snapshot(SUITES, now=NOW)
    assert (before.checks, before.notifications) == (
        {("main", CheckStatus.RUNNING): 1},
        {("slack", "open", "pending"): 2},
    )
    assert (now.checks, now.notifications) == (
        {("main", CheckStatus.HEALTHY): 1},
        {("slack", "open", NotificationStatus.SUPERSEDED): 2},
    )


def test_retention_takes_nothing_from_the_counters(store: Store) -> None:
    store.open_check(a_check(), None)
    for number in range(3):
        store.save_conversation(a_conversation(f"v{number}"), None)
    store.close_check(Closing(check=an_ended_check()))
    assert store.retire(older_than=after(3600), batch=10) == 3
    assert store.snapshot(SUITES, now=NOW).conversations == {("main", Outcome.COMPLETED): 3}


def test_an_aborted_check_is_counted_as_such(store: Store) -> None:
    store.open_check(a_check(), None)
    store.abort_running(now=after(25 * 3600))
    assert store.snapshot(SUITES, now=NOW).checks == {("main", CheckStatus.ABORTED): 1}


def test_open_incidents_are_counted_by_the_suite_that_opened_them(store: Store) -> None:
    store.open_check(a_check(suite="other"), None)
    store.close_check(a_closing(check=an_ended_check(suite="other"), opened=(an_incident(opened_by_check="c1"),)))
    store.change_alerts(AlertChanges(opened=(an_incident("i2", scope="main/return"),)))
    assert store.snapshot(SUITES, now=NOW).incidents_open == {"other": 1, "main": 1}


def test_a_suite_shows_the_valid_check_before_and_since_when_it_is_watched(store: Store) -> None:
    for number, status in enumerate((CheckStatus.HEALTHY, CheckStatus.INCONCLUSIVE, CheckStatus.DEGRADED)):
        at = after(number)
        assert store.claim_slot("main", at, owner="me", now=at, lease_seconds=60, second_attempt_grace_seconds=60)
        end(store, f"c{number}", number, status)
    main, other = store.snapshot(SUITES, now=NOW).suites
    assert main.last_valid and main.previous_valid
    assert (main.last_valid.id, main.previous_valid.id, main.watched_since) == ("c2", "c0", after(0))
    assert (other.previous_valid, other.watched_since) == (None, None)
