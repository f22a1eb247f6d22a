"""Daemons on one database under different configurations: none ends what another watches."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from monitor.bootstrap.equals import watched_elsewhere
from monitor.bootstrap.parts import utc_now
from monitor.rules import monitor
from monitor.store import Store
from monitor.verdict import Finding, Severity, Verdict
from tests.bootstrap.test_reload import Running
from tests.bootstrap.test_reload import running as running  # noqa: PLC0414  a fixture
from tests.bootstrap.test_selfwatch import firing

ELSEWHERE = "elsewhere:7:a1b2c3d4"


class SharedStore(Store):
    """A real store that says that others use it too."""

    @property
    def is_shared(self) -> bool:
        return True


@pytest.fixture
def store(running: Running) -> Store:
    """Shared, with open incidents of the suite `theirs` that this daemon does not know."""
    store = running.application.store
    store.__class__ = SharedStore
    bad = Verdict(
        scope="theirs/overall", rule="mean", finding=Finding.BREACH, severity=Severity.CRITICAL, reason="it got worse"
    )
    assert running.application.operations.judge([bad, monitor.of_overlaps("theirs", 3, host=None)]) == 2
    return store


def run(store: Store, at: datetime, *, owner: str = ELSEWHERE) -> None:
    """A daemon took the slot."""
    store.claim_slot("theirs", at, owner=owner, now=at, lease_seconds=60, second_attempt_grace_seconds=0)


async def test_what_another_daemon_watches_is_left_open_and_ends_when_it_does_no_more(
    running: Running, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = utc_now()
    run(store, now - timedelta(hours=4))
    run(store, now)
    await running.application.retire_alerts()
    await running.application.tick_alerts()
    assert firing(running) == {"theirs/overall", "monitor/checks.theirs"}
    # The one clock of the application: the others' slots grow old by it.
    monkeypatch.setattr("monitor.bootstrap.application.utc_now", lambda: now + timedelta(hours=10))
    await running.application.tick_alerts()
    assert firing(running) == set()


async def test_what_this_machine_watched_before_is_ended_at_once(running: Running, store: Store) -> None:
    run(store, utc_now(), owner=running.application.owner)
    await running.application.retire_alerts()
    assert firing(running) == set()


async def test_what_no_daemon_ever_ran_is_ended_at_once(running: Running, store: Store) -> None:
    await running.application.retire_alerts()
    assert firing(running) == set()


async def test_a_suite_with_one_slot_is_believed_for_two_days(store: Store) -> None:
    now = utc_now()
    run(store, now)
    for hours, found in ((1, {"theirs", "monitor"}), (48, {"theirs", "monitor"}), (50, set[str]())):
        assert watched_elsewhere(store, ["shop"], host="here", now=now + timedelta(hours=hours)) == found
    assert watched_elsewhere(store, ["shop", "theirs"], host="here", now=now) == set()
