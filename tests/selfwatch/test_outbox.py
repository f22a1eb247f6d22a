"""Which channels fail, and who is told of that instead."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.incident import NotificationStatus
from monitor.machine import AlertPolicy, NotificationKind
from monitor.selfwatch.outbox import failing, told_elsewhere
from monitor.store import NotificationDraft, Store
from monitor.verdict import Severity
from tests.notify.samples import ALERT
from tests.parties import T0

DEAD, SENT = NotificationStatus.DEAD, NotificationStatus.SENT
MINUTE = timedelta(minutes=1)


def put(store: Store, channel: str, scope: str, ends: NotificationStatus | None, *, minute: int) -> None:
    """A message that ended so (None: it waits)."""
    at = T0 + minute * MINUTE
    message = NotificationDraft(
        incident_id="i",
        scope=scope,
        channel=channel,
        kind=NotificationKind.OPEN,
        dedup_key=f"{channel}-{minute}",
        alert=ALERT,
        at=at,
    )
    store.enqueue(message)
    if ends:
        claim = store.claim_notification(now=at, lease_seconds=60, owner="me", channel=channel)
        assert claim is not None
        attempt = store.begin_attempt(claim, now=at)
        store.finish_notification(attempt.id, ends, now=at, owner="me")


@pytest.mark.parametrize(
    ("later", "found"),
    [(None, {"slack"}), ((SENT, "slack"), set()), ((SENT, "pagerduty"), {"slack"}), ((DEAD, "slack"), {"slack"})],
)
def test_a_channel_fails_from_a_dead_letter_until_it_takes_a_message(
    sqlite_store: Store, later: tuple[NotificationStatus, str] | None, found: set[str]
) -> None:
    put(sqlite_store, "slack", "s/overall", DEAD, minute=1)
    if later:
        put(sqlite_store, later[1], "s/overall", later[0], minute=2)
    assert failing(sqlite_store.undelivered(since=T0), T0 + 3 * MINUTE) == found


def test_a_dead_letter_fails_a_channel_for_a_day_and_one_about_the_monitor_not_at_all(sqlite_store: Store) -> None:
    put(sqlite_store, "slack", "monitor/engine", DEAD, minute=1)
    put(sqlite_store, "pagerduty", "s/overall", DEAD, minute=2)
    assert failing(sqlite_store.undelivered(since=T0), T0) == {"pagerduty"}
    assert failing(sqlite_store.undelivered(since=T0 + 3 * MINUTE), T0) == frozenset()


def test_a_channel_fails_that_has_not_taken_a_message_for_a_quarter_of_an_hour(sqlite_store: Store) -> None:
    put(sqlite_store, "slack", "s/overall", None, minute=0)
    rows = sqlite_store.undelivered(since=T0)
    assert failing(rows, T0 + 14 * MINUTE) == frozenset()
    assert failing(rows, T0 + 15 * MINUTE) == {"slack"}


@pytest.mark.parametrize(
    ("routed", "fails", "told"),
    [
        (("slack", "pagerduty"), {"slack"}, ("pagerduty",)),
        (("slack",), {"slack"}, ("pagerduty", "hook")),
        (("slack",), {"slack", "pagerduty", "hook"}, ("slack",)),
        ((), {"slack"}, ()),
    ],
)
def test_a_channel_that_fails_is_not_asked_to_tell_of_it_where_another_is_there(
    routed: tuple[str, ...], fails: set[str], told: tuple[str, ...]
) -> None:
    policy = told_elsewhere(AlertPolicy.everywhere(*routed), fails, ("slack", "pagerduty", "hook"))
    assert policy.channels(Severity.WARNING) == told
