"""Whose slot is taken, whose is copied, and who makes room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from monitor.engine.keyvalues import KeyValues
from monitor.engine.slots import Slot, Slots


class Copies:
    """Stands for the pool: notes what was copied and cleared."""

    def __init__(self) -> None:
        self.copied: list[tuple[int, int, int]] = []
        self.cleared: list[int] = []

    def copy_prefix(self, source: int, target: int, length: int) -> None:
        self.copied.append((source, target, length))

    def clear(self, index: int) -> None:
        self.cleared.append(index)


@pytest.fixture
def copies() -> Copies:
    return Copies()


@pytest.fixture
def slots(copies: Copies) -> Slots:
    return Slots(3, cast(KeyValues, copies))


def converse(slots: Slots, prompt: Sequence[int], generated: Sequence[int] = ()) -> Slot:
    """A request from its admission to its end."""
    slot = slots.claim(prompt)
    slot.extend([*prompt[len(slot.ids) :], *generated])
    slots.release(slot)
    return slot


def test_a_conversation_goes_on_in_its_own_slot_though_its_reply_reads_back_as_other_tokens(
    slots: Slots, copies: Copies
) -> None:
    first = converse(slots, [1, 2, 3], [70, 71])
    second = slots.claim([1, 2, 3, 70, 99, 4])
    assert second is first
    assert second.ids == [1, 2, 3, 70]
    assert copies.copied == []


def test_another_conversation_that_begins_alike_gets_a_copy_and_the_first_keeps_all(
    slots: Slots, copies: Copies
) -> None:
    first = converse(slots, [1, 2, 3], [70, 71])
    other = slots.claim([1, 2, 3])
    assert other is not first
    assert (first.ids, other.ids) == ([1, 2, 3, 70, 71], [1, 2])
    assert copies.copied == [(first.index, other.index, 2)]


def test_a_history_changed_within_the_last_prompt_leaves_the_slot_as_it_is(slots: Slots, copies: Copies) -> None:
    first = converse(slots, [1, 2, 3, 4], [70])
    slots.claim([1, 2, 3, 9, 9, 9])
    assert first.ids == [1, 2, 3, 4, 70]
    assert copies.copied == [(0, 1, 3)]


def test_a_busy_slot_is_copied(slots: Slots, copies: Copies) -> None:
    busy = slots.claim([1, 2, 3])
    busy.extend([1, 2, 3])
    slots.claim([1, 2, 3, 4])
    assert copies.copied == [(busy.index, 1, 3)]


def test_the_least_recently_used_makes_room(slots: Slots) -> None:
    for start in (10, 20, 30):
        converse(slots, [start, start + 1])
    converse(slots, [10, 11, 12])
    newest = slots.claim([40, 41])
    assert newest.index == 1
    assert [slots.claim([start, start + 1, start + 2]).ids for start in (10, 30)] == [[10, 11], [30, 31]]


def test_a_dropped_slot_is_cleared_and_taken_first(slots: Slots, copies: Copies) -> None:
    for start in (10, 20, 30):
        converse(slots, [start, start + 1])
    broken = slots.claim([30, 31, 32])
    slots.drop(broken)
    assert copies.cleared == [broken.index]
    assert slots.claim([30, 31, 32]) is broken
    assert broken.ids == []


def test_more_than_the_limit_is_a_defect(slots: Slots) -> None:
    for start in (10, 20, 30):
        slots.claim([start])
    with pytest.raises(AssertionError, match="every slot is computing"):
        slots.claim([40])
