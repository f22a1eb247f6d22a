"""Where conversations are at home."""

from __future__ import annotations

from monitor.completions.homes import Homes


def test_a_conversation_has_a_home_until_it_is_over() -> None:
    homes: Homes[str] = Homes(9)
    homes.settle("c", "one")
    assert (homes.of("c"), homes.count("one")) == ("one", 1)
    homes.forget("c")
    homes.forget("c")
    assert (homes.of("c"), homes.count("one")) == (None, 0)


def test_a_conversation_that_moves_is_counted_once() -> None:
    homes: Homes[str] = Homes(9)
    homes.settle("c", "one")
    homes.settle("c", "two")
    assert (homes.of("c"), homes.count("one"), homes.count("two")) == ("two", 0, 1)


def test_of_too_many_the_one_asked_for_longest_ago_is_forgotten() -> None:
    homes: Homes[str] = Homes(2)
    for conversation in "ab":
        homes.settle(conversation, "one")
    homes.of("a")
    homes.settle("c", "one")
    assert [homes.of(conversation) for conversation in "abc"] == ["one", None, "one"]
    assert homes.count("one") == 2
