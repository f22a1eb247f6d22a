"""The benchmark of delivery still loses nothing, and would see it if something were lost."""

from __future__ import annotations

from random import Random

from tests.benchmarks.delivery import FAILURE_SHARE, Counts, Feeder, FlakyReceivers, Place, figures_of, measure


def test_nothing_is_lost_though_receivers_fail_and_senders_are_killed() -> None:
    figures = measure(60, kills=2, seed=1)
    assert (figures["delivery_transitions"], figures["delivery_messages"]) == (60, 96)
    assert (figures["delivery_lost"], figures["delivery_unexpected"]) == (0, 0)
    assert figures["delivery_ends_before_their_opening"] == 0
    assert figures["delivery_kills"] == 2
    assert figures["delivery_requests"] > 96


def test_a_message_that_nobody_took_is_lost_and_one_taken_twice_a_duplicate() -> None:
    feeder = Feeder(None, Place("", "", "", "", "", 0.0), 1)  # type: ignore[arg-type]
    feeder.expected = {("slack", "open", "a"), ("slack", "resolve", "a"), ("webhook", "open", "a")}
    counts = Counts()
    counts.taken.update({("slack", "open", "a"): 3, ("webhook", "open", "a"): 1, ("slack", "info", "a"): 1})
    with FlakyReceivers(Random(1)) as receivers:
        figures = figures_of(feeder, counts, receivers, 0, 1.0)
    assert [figures[f"delivery_{name}"] for name in ("lost", "duplicates", "unexpected")] == [1, 2, 1]


def test_three_in_ten_requests_fail_in_every_way() -> None:
    with FlakyReceivers(Random(1)) as receivers:
        for number in range(10_000):
            receivers.choose(("slack", "pagerduty", "webhook", "alertmanager")[number % 4])
    assert abs(receivers.failures.total() / receivers.asked - FAILURE_SHARE) < 0.02
    assert len(receivers.failures) == 8
