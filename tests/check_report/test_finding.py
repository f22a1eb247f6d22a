"""Which check is meant; on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.check import CheckStatus
from monitor.check_report import find_check
from monitor.errors import NotThere
from monitor.store import Store
from tests.check_report.samples import AT, GOOD, HOURS, begin, fallen, reported, run


def several(store: Store) -> None:
    for number, (check_id, suite) in enumerate([("ab1", "shop"), ("ab2", "office"), ("ab21", "shop"), ("c_1", "shop")]):
        run(store, check_id, GOOD, status=CheckStatus.HEALTHY, at=AT + number * HOURS, suite=suite)
    begin(store, "running", at=AT + 10 * HOURS)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("ab1", "ab1"),
        ("ab2", "ab2"),
        ("ab21", "ab21"),
        ("c", "c_1"),
        ("run", "running"),
        ("latest", "c_1"),
        ("latest:shop", "c_1"),
        ("latest:office", "ab2"),
    ],
)
def test_a_check_is_found(wanted: str, found: str, store: Store) -> None:
    several(store)
    assert find_check(store, wanted).id == found


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("ab", "several checks begin with 'ab'; write more of the id:\nab21 "),
        ("x", "there is no check 'x'; write `latest`, `latest:SUITE`, or the id of one"),
        ("", "there is no check ''"),
        ("%", "there is no check '%'"),
        ("c%", "there is no check 'c%'"),
        ("a_1", "there is no check 'a_1'"),
        ("latest:none", "no check of a suite 'none' is over; write `latest`"),
        ("\x1b[2J", "there is no check ''"),
    ],
)
def test_what_there_is_is_told(wanted: str, told: str, store: Store) -> None:
    several(store)
    with pytest.raises(NotThere) as raised:
        find_check(store, wanted)
    assert str(raised.value).startswith(told)
    assert "shop: healthy" in str(raised.value)


@pytest.mark.parametrize("wanted", ["latest", "x"])
def test_an_empty_store_is_told(wanted: str, store: Store) -> None:
    with pytest.raises(NotThere, match="none is stored; `assistant-monitor check` makes one"):
        find_check(store, wanted)


def test_both_databases_give_the_same_report(store: Store, sqlite_store: Store) -> None:
    assert reported(store, fallen(store)) == reported(sqlite_store, fallen(sqlite_store))


def test_a_report_is_of_one_moment_only(store: Store) -> None:
    """What happens after a check changes nothing of what is told of it."""
    check = fallen(store)
    before = reported(store, check)
    run(store, "later", GOOD, status=CheckStatus.HEALTHY, at=AT + timedelta(days=1))
    assert reported(store, check) == before
