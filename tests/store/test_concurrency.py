"""Several daemons at once: threads with stores of their own, which is how PostgreSQL sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import pytest

from monitor.check import Slot
from monitor.errors import StaleWrite
from monitor.incident import NotificationStatus
from monitor.store import Store
from tests.store.samples import NOW, a_check, a_conversation, a_draft, a_state, after, claim_slot

T = TypeVar("T")
DAEMONS = 4


@pytest.fixture
def daemons(url: str) -> Iterator[list[Store]]:
    stores = [Store.open(url) for _ in range(DAEMONS)]
    yield stores
    for store in stores:
        store.close()


def at_once(daemons: list[Store], act: Callable[[Store, str], T]) -> list[T]:
    together = Barrier(len(daemons))

    def run(number: int) -> T:
        together.wait(timeout=30)
        return act(daemons[number], f"d{number}")

    with ThreadPoolExecutor(len(daemons)) as threads:
        return list(threads.map(run, range(len(daemons))))


def drain(store: Store, owner: str) -> list[str]:
    """Send whatever can be claimed, and say what was sent."""
    sent = []
    while claim := store.claim_notification(now=NOW, lease_seconds=30, owner=owner):
        message = store.begin_attempt(claim, now=NOW)
        store.finish_notification(message.id, NotificationStatus.SENT, now=NOW, owner=owner)
        sent.append(message.id)
    return sent


def test_each_message_is_sent_by_one_of_several_senders(daemons: list[Store]) -> None:
    daemons[0].enqueue(*(a_draft(dedup_key=f"k{number % 10}") for number in range(30)))
    sent = [message_id for ids in at_once(daemons, drain) for message_id in ids]
    sent += drain(daemons[0], "last")
    assert sorted(sent) == sorted(message.id for message in daemons[0].notifications())


def test_a_slot_is_given_to_one_of_several_who_ask_at_once(daemons: list[Store]) -> None:
    def ask(store: Store, owner: str) -> list[Slot | None]:
        return [claim_slot(store, owner, at=after(number)) for number in range(10)]

    answers = at_once(daemons, ask)
    assert [sum(slot is not None for slot in asked) for asked in zip(*answers, strict=True)] == [1] * 10


def test_a_lost_slot_is_given_to_one_of_several_who_ask_at_once(daemons: list[Store]) -> None:
    claim_slot(daemons[0], "dead")
    answers = at_once(daemons, lambda store, owner: claim_slot(store, owner, seconds=61))
    assert [slot.attempt for slot in answers if slot] == [2]


def test_no_step_of_an_alert_is_lost(daemons: list[Store]) -> None:
    def step(store: Store, owner: str) -> int:
        written = 0
        while written < 5:
            state = store.alert_state("main/overall")
            try:
                store.save_alert_state(a_state(state.version + 1, acked_by=f"{owner}-{written}"))
                written += 1
            except StaleWrite:
                continue
        return written

    at_once(daemons, step)
    assert daemons[0].alert_state("main/overall").version == DAEMONS * 5


def test_conversations_saved_at_once_are_all_counted(daemons: list[Store]) -> None:
    daemons[0].open_check(a_check(), None)

    def save(store: Store, owner: str) -> None:
        for number in range(5):
            store.save_conversation(a_conversation(f"{owner}-{number}"), None)

    at_once(daemons, save)
    assert len(daemons[0].conversations("c1")) == DAEMONS * 5
    assert sum(daemons[0].snapshot({}, now=NOW).conversations.values()) == DAEMONS * 5
