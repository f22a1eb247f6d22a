"""What other daemons on the same database watch, as far as their slots tell: it is not ours to end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from monitor.check import Slot
from monitor.machine import Phase
from monitor.rules.monitor import CHECKS, SUITE
from monitor.store import Store

LONGEST_UNKNOWN_PAUSE = timedelta(days=1)
"""Between two slots of a suite of which there is only one."""
LATE = timedelta(hours=1)


def watched_elsewhere(store: Store, ours: Collection[str], *, host: str, now: datetime) -> frozenset[str]:
    """First parts of the scopes of open incidents: of those about suites that are not `ours`, and that a daemon on
    another machine ran within two of their intervals. Blocks; raises StoreFailure.
    """
    if not store.is_shared:
        return frozenset()
    firing = [state.scope for state in store.alert_states() if state.phase is Phase.FIRING]
    theirs = {suite for scope in firing if (suite := _suite_of(scope)) not in {*ours, SUITE}}
    theirs = {suite for suite in theirs if _is_run(store.newest_slots(suite, limit=2), host, now)}
    return frozenset(scope.rpartition("/")[0] for scope in firing if _suite_of(scope) in theirs)


def _suite_of(scope: str) -> str:
    """The suite that it is about, though the monitor may say it of itself."""
    first, _, name = scope.rpartition("/")
    return name.removeprefix(CHECKS) if first == SUITE and name.startswith(CHECKS) else first


def _is_run(newest: Sequence[Slot], host: str, now: datetime) -> bool:
    """By its newest slots, newest first."""
    if not newest or newest[0].owner.partition(":")[0] == host:
        return False
    pause = newest[0].at - newest[1].at if len(newest) > 1 else LONGEST_UNKNOWN_PAUSE
    return now - newest[0].at <= 2 * pause + LATE
