from __future__ import annotations

import subprocess
import sys
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from monitor.check import CheckStatus, CheckSummary, Trigger
from monitor.errors import StaleWrite
from monitor.store import Closing, Store
from monitor.store.database import Database
from monitor.store.engine import connect, parse
from monitor.store.types import Document
from tests.store.samples import NOW, a_check, a_conversation, a_summary, after, an_ended_check, claim_held, claim_slot

OPEN_IN_ANOTHER_PROCESS = """
import sys
from monitor.store import Store
from tests.store.samples import NOW, a_check, claim_slot
store = Store.open(sys.argv[1])
slot = claim_slot(store) if sys.argv[2] == "scheduled" else None
store.open_check(a_check(slot_at=NOW if slot else None), slot)
"""


def open_in_a_process_that_dies(url: str, kind: str) -> None:
    subprocess.run([sys.executable, "-c", OPEN_IN_ANOTHER_PROCESS, url, kind], check=True)


def test_a_check_comes_back_as_it_was(store: Store) -> None:
    check = a_check(reason="why", slot_at=None)
    store.open_check(check, None)
    assert store.check("c1") == check
    assert store.check("c2") is None


def test_opening_a_check_again_changes_nothing(store: Store) -> None:
    store.open_check(a_check(), None)
    store.open_check(a_check(), None)
    assert store.checks() == [a_check()]


def test_checks_are_listed_newest_first(store: Store) -> None:
    for number in range(3):
        store.open_check(a_check(f"c{number}", started_at=after(number)), None)
    assert [check.id for check in store.checks(limit=2)] == ["c2", "c1"]
    assert [check.id for check in store.checks(before=after(2))] == ["c1", "c0"]


def test_checks_are_filtered_by_suite_epoch_status_and_trigger(store: Store) -> None:
    store.open_check(a_check("c1"), None)
    store.open_check(a_check("c2", suite="other"), None)
    store.open_check(a_check("c3", epoch="e2"), None)
    store.open_check(a_check("c4", trigger=Trigger.MANUAL), None)
    store.close_check(Closing(check=an_ended_check("c4", trigger=Trigger.MANUAL)))
    assert {check.id for check in store.checks("main")} == {"c1", "c3", "c4"}
    assert [check.id for check in store.checks(epoch="e2")] == ["c3"]
    assert [check.id for check in store.checks(statuses=[CheckStatus.HEALTHY])] == ["c4"]
    assert {check.id for check in store.checks(alerting_only=True)} == {"c1", "c2", "c3"}


def test_a_check_whose_process_died_is_aborted_before_its_lease_ends(store: Store, url: str) -> None:
    open_in_a_process_that_dies(url, "scheduled")
    assert store.abort_running(now=after(1)) == 1
    check = store.check("c1")
    assert check and check.status is CheckStatus.ABORTED and check.finished_at is None
    assert claim_held(store, seconds=2).attempt == 2


def test_a_check_by_hand_whose_process_died_is_aborted(store: Store, url: str) -> None:
    open_in_a_process_that_dies(url, "by hand")
    assert store.abort_running(now=after(1)) == 1
    assert store.abort_running(now=after(1)) == 0


def test_a_check_whose_lease_ran_out_is_aborted_and_its_owner_fenced_off(store: Store) -> None:
    slot = claim_held(store)
    store.open_check(a_check(slot_at=NOW), slot)
    assert store.abort_running(now=after(61)) == 1
    with pytest.raises(StaleWrite):
        store.renew_slot(slot, now=after(62), lease_seconds=60)
    with pytest.raises(StaleWrite):
        store.save_conversation(a_conversation(), slot)


def test_a_check_that_runs_is_not_aborted(store: Store) -> None:
    store.open_check(a_check(slot_at=NOW), claim_held(store))
    store.open_check(a_check("c2"), None)
    assert store.abort_running(now=after(59)) == 0


def test_who_holds_the_lock_knows_every_other_daemon_to_be_gone(sqlite_url: str) -> None:
    rename = text("UPDATE \"check\" SET process = 'a container:7:x'")
    with closing(Store.open(sqlite_url)) as store, closing(Database(connect(parse(sqlite_url)))) as database:
        store.open_check(a_check(slot_at=NOW), claim_held(store))
        assert database.write(lambda connection: connection.execute(rename).rowcount) == 1
        assert store.abort_running(now=after(1)) == 0
        store.lock()
        assert store.abort_running(now=after(1)) == 1


def test_checks_of_a_named_owner_are_aborted_at_its_start(store: Store) -> None:
    store.open_check(a_check(slot_at=NOW), claim_held(store, "a"))
    assert store.abort_running(now=after(1), owner="b") == 0
    assert store.abort_running(now=after(1), owner="a") == 1
    assert claim_slot(store, "a", seconds=2)


def test_a_check_by_hand_that_nobody_ended_is_aborted_after_a_day(store: Store) -> None:
    store.open_check(a_check(), None)
    assert store.abort_running(now=after(25 * 3600)) == 1


def test_a_summary_that_was_stored_before_users_were_measured_is_read() -> None:
    column = Document(CheckSummary)
    document = column.process_bind_param(a_summary(), sqlite.dialect())
    assert isinstance(document, dict)
    for name in ("in_spec", "out_of_spec", "fidelity"):
        del document[name]
    assert column.process_result_value(document, sqlite.dialect()) == a_summary()
