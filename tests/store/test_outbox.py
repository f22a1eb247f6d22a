from __future__ import annotations

import pytest

from monitor.errors import StaleWrite
from monitor.incident import Notification, NotificationStatus
from monitor.machine import NotificationKind
from monitor.store import Claim, Store
from tests.store.samples import NOW, a_draft, after, an_alert

OTHER_KEY = "app:prod:main/return"
SENT, DEAD, SUPERSEDED = NotificationStatus.SENT, NotificationStatus.DEAD, NotificationStatus.SUPERSEDED


def claim(store: Store, owner: str = "a", seconds: float = 0.0) -> Claim | None:
    return store.claim_notification(now=after(seconds), lease_seconds=30, owner=owner)


def claimed(store: Store, owner: str = "a", seconds: float = 0.0) -> Claim:
    found = claim(store, owner, seconds)
    assert found is not None
    return found


def send(store: Store, status: NotificationStatus = SENT) -> Notification:
    message = store.begin_attempt(claimed(store), now=NOW)
    store.finish_notification(message.id, status, now=after(1), owner="a", reference="ts-1")
    return message


def test_a_message_comes_back_as_it_was_put(store: Store) -> None:
    store.enqueue(a_draft())
    (message,) = store.notifications()
    assert message.alert == an_alert()
    assert (message.channel, message.kind, message.created_at) == ("slack", NotificationKind.OPEN, NOW)
    assert (message.status, message.attempts) == (NotificationStatus.PENDING, 0)


def test_messages_are_listed_in_the_order_in_which_they_were_put(store: Store) -> None:
    store.enqueue(*(a_draft(incident_id=f"i{number}") for number in range(3)))
    assert [message.incident_id for message in store.notifications()] == ["i0", "i1", "i2"]
    assert [message.incident_id for message in store.notifications(limit=2)] == ["i1", "i2"]
    assert [message.incident_id for message in store.notifications("i1")] == ["i1"]


def test_an_empty_outbox_has_nothing_to_claim(store: Store) -> None:
    assert claim(store) is None


def test_the_oldest_message_is_claimed_with_those_behind_it(store: Store) -> None:
    store.enqueue(a_draft(), a_draft(kind=NotificationKind.RESOLVE), a_draft(incident_id="i2"))
    found = claimed(store)
    assert found.notification.kind is NotificationKind.OPEN
    assert [follower.kind for follower in found.followers] == [NotificationKind.RESOLVE]
    assert found.opened is None


def test_a_message_waits_for_the_one_before_it_in_its_queue(store: Store) -> None:
    store.enqueue(a_draft(), a_draft(kind=NotificationKind.RESOLVE))
    claimed(store)
    assert claim(store, "b") is None


def test_a_queue_that_is_stuck_holds_up_no_other_channel_and_no_other_key(store: Store) -> None:
    store.enqueue(a_draft(), a_draft(channel="pagerduty"), a_draft(dedup_key=OTHER_KEY))
    stuck = claimed(store)
    store.retry_notification(stuck.notification.id, at=after(900), error="429", owner="a")
    found = [claimed(store).notification for _ in range(2)]
    assert [(message.channel, message.dedup_key) for message in found] == [
        ("pagerduty", "app:prod:main/overall"),
        ("slack", OTHER_KEY),
    ]


def test_a_sender_of_one_channel_is_given_nothing_of_another(store: Store) -> None:
    store.enqueue(a_draft(), a_draft(channel="pagerduty"))
    found = store.claim_notification(now=NOW, lease_seconds=30, owner="a", channel="pagerduty")
    assert found and found.notification.channel == "pagerduty"
    assert store.claim_notification(now=NOW, lease_seconds=30, owner="a", channel="pagerduty") is None


def test_the_end_of_an_incident_is_given_the_message_that_opened_it(store: Store) -> None:
    store.enqueue(a_draft(), a_draft(kind=NotificationKind.RESOLVE))
    send(store)
    opened = claimed(store).opened
    assert opened and (opened.kind, opened.reference, opened.sent_at) == (NotificationKind.OPEN, "ts-1", after(1))


def test_a_dead_message_makes_way_for_the_next(store: Store) -> None:
    store.enqueue(a_draft(), a_draft(kind=NotificationKind.RESOLVE))
    send(store, DEAD)
    found = claimed(store)
    assert (found.notification.kind, found.opened) == (NotificationKind.RESOLVE, None)


def test_the_attempt_is_counted_before_the_call(store: Store, other: Store) -> None:
    store.enqueue(a_draft())
    message = store.begin_attempt(claimed(store), now=NOW)
    assert message.attempts == 1
    assert other.notifications()[0].attempts == 1


def test_a_lease_that_ran_out_passes_to_another_sender(store: Store, other: Store) -> None:
    store.enqueue(a_draft())
    slept = claimed(store, "a")
    assert claimed(other, "b", seconds=31).notification.id == slept.notification.id
    with pytest.raises(StaleWrite, match="lost"):
        store.begin_attempt(slept, now=after(32))
    with pytest.raises(StaleWrite, match="not held"):
        store.finish_notification(slept.notification.id, SENT, now=after(32), owner="a")
    with pytest.raises(StaleWrite, match="not held"):
        store.retry_notification(slept.notification.id, at=after(60), error="", owner="a")


def test_no_attempt_begins_after_the_lease(store: Store) -> None:
    store.enqueue(a_draft())
    found = claimed(store)
    with pytest.raises(StaleWrite, match="lost"):
        store.begin_attempt(found, now=after(30))


def test_a_message_to_be_tried_again_is_not_due_before_its_time(store: Store) -> None:
    store.enqueue(a_draft())
    message = store.begin_attempt(claimed(store), now=NOW)
    store.retry_notification(message.id, at=after(120), error="timeout", owner="a")
    assert claim(store, seconds=119) is None
    again = claimed(store, "b", seconds=120).notification
    assert (again.attempts, again.last_error, again.next_attempt_at) == (1, "timeout", after(120))


def test_saying_the_same_end_twice_changes_nothing(store: Store) -> None:
    store.enqueue(a_draft())
    message = send(store)
    store.finish_notification(message.id, SENT, now=after(1), owner="a", reference="ts-1")
    assert store.snapshot({}, now=NOW).notifications == {("slack", "open", "sent"): 1}


def test_a_sent_message_cannot_become_a_dead_one(store: Store) -> None:
    store.enqueue(a_draft())
    message = send(store)
    with pytest.raises(StaleWrite):
        store.finish_notification(message.id, DEAD, now=after(2), owner="a")
    assert store.notifications()[0].status is SENT


def test_messages_that_were_never_attempted_can_be_superseded(store: Store) -> None:
    store.enqueue(a_draft(), a_draft(kind=NotificationKind.RESOLVE))
    found = claimed(store)
    ids = [message.id for message in (found.notification, *found.followers)]
    store.supersede(ids, now=NOW)
    store.supersede(ids, now=NOW)
    assert [message.status for message in store.notifications()] == [SUPERSEDED, SUPERSEDED]
    assert claim(store, seconds=60) is None


def test_a_message_that_was_attempted_is_not_superseded(store: Store) -> None:
    store.enqueue(a_draft(), a_draft(kind=NotificationKind.RESOLVE))
    found = claimed(store)
    store.begin_attempt(found, now=NOW)
    with pytest.raises(StaleWrite, match="attempted"):
        store.supersede([found.notification.id, found.followers[0].id], now=NOW)
    assert {message.status for message in store.notifications()} == {NotificationStatus.PENDING}
