"""The sender's loop: channels beside each other, a database that goes away, a start after a crash, a shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from monitor.delivery import LEASE_SECONDS, ORPHAN_AFTER
from monitor.demo.receivers import PAGERDUTY, SLACK, Answer, Receivers
from monitor.errors import StoreUnavailable
from monitor.http import HttpClient
from monitor.incident import NotificationStatus
from monitor.machine import AlertState, NotificationKind, Phase
from monitor.notify.contract import Notifier, Retry
from monitor.notify.pagerduty import PagerDuty
from monitor.notify.slack_bot import SlackBot
from monitor.store import Claim, Store
from tests.fixtures.outbox import World
from tests.notify.samples import KEY, OPENED_AT

PENDING, SENT, DEAD = NotificationStatus.PENDING, NotificationStatus.SENT, NotificationStatus.DEAD


async def stop_when(is_done: Callable[[], bool], stop: asyncio.Event) -> None:
    while not is_done():  # noqa: ASYNC110  a database announces nothing
        await asyncio.sleep(0)
    stop.set()


async def run_until(world: World, is_done: Callable[[], bool], notifiers: dict[str, Notifier] | None = None) -> None:
    stop = asyncio.Event()
    async with asyncio.timeout(20):
        await asyncio.gather(world.sender(notifiers=notifiers).run(stop), stop_when(is_done, stop))


async def test_a_channel_that_hangs_delays_no_other(world: World) -> None:
    world.slack.gate = asyncio.Event()
    world.open()
    world.pagerduty.before_answer = world.slack.gate.set
    await run_until(world, lambda: bool(world.pagerduty.sent) and SENT in world.statuses("slack"))
    assert world.statuses("slack") == [SENT]


async def test_the_loop_comes_back_for_a_retry_when_it_is_due(world: World) -> None:
    world.slack.results = [Retry(2.5, "HTTP 429"), Retry(40.0, "HTTP 429")]
    world.open("slack")
    await run_until(world, lambda: world.statuses("slack") == [SENT], {"slack": world.slack})
    assert timedelta(seconds=42.5) <= world.now - OPENED_AT <= timedelta(seconds=60)


async def test_news_are_sent_without_waiting_for_the_poll(world: World) -> None:
    asleep, stop = asyncio.Event(), asyncio.Event()

    async def sleep_for_ever(_seconds: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    sender = world.sender(sleep=sleep_for_ever)
    running = asyncio.create_task(sender.run(stop))
    await asleep.wait()
    world.open("slack")
    sender.wake()
    async with asyncio.timeout(20):
        await stop_when(lambda: world.statuses("slack") == [SENT], stop)
        await running
    assert len(world.slack.sent) == 1


class FlakyStore(Store):
    """Away for the first calls of each kind."""

    refusals = 3

    def claim_notification(self, **given: object) -> Claim | None:
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailable("away")
        return super().claim_notification(**given)  # type: ignore[arg-type]

    def alert_states(self) -> list[AlertState]:
        if self.refusals > 1:
            self.refusals -= 1
            raise StoreUnavailable("away")
        return super().alert_states()


async def test_the_loop_survives_a_database_that_is_away(outbox_url: str) -> None:
    world = World(FlakyStore.open(outbox_url))
    world.open("slack")
    await run_until(world, lambda: world.statuses("slack") == [SENT])
    assert all(1.0 <= seconds <= 5.0 for seconds in world.slept[:3])
    world.store.close()


async def test_the_loop_survives_a_fault_of_its_own(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def fail_once() -> None:
        if len(world.slack.sent) == 1:
            raise RuntimeError("a mistake")

    world.slack.before_answer = fail_once
    world.open("slack")
    await run_until(world, lambda: world.statuses("slack") == [SENT])
    assert "delivery_broken channel=slack" in caplog.text


async def test_an_end_that_was_finished_before_a_crash_closes_the_alert_at_the_start(world: World) -> None:
    world.open("slack")
    await world.send_all(world.sender())
    world.close()
    held = world.store.claim_notification(now=world.now, lease_seconds=LEASE_SECONDS, owner="dead")
    assert held
    end = world.store.begin_attempt(held, now=world.now)
    world.store.finish_notification(end.id, SENT, now=world.now, owner="dead")
    await run_until(world, lambda: world.state.phase is Phase.OK)
    assert world.slack.kinds == ["open"]


async def test_an_incident_ends_though_one_of_its_channels_is_gone_for_good(world: World) -> None:
    world.open()
    await world.send_all(world.sender())
    world.close()
    await run_until(world, lambda: world.state.phase is Phase.OK, {"slack": world.slack})
    assert world.statuses("pagerduty") == [SENT, DEAD]
    assert world.rows("pagerduty")[-1].last_error.startswith("absent: there is no channel pagerduty")
    assert world.slack.kinds == ["open", "resolve"]
    assert world.now - OPENED_AT > ORPHAN_AFTER


async def test_draining_ends_at_its_deadline_and_leaves_the_rest(world: World) -> None:
    world.slack.gate = asyncio.Event()
    world.open()
    await world.sender().drain(0.3)
    assert world.statuses("pagerduty") == [SENT]
    assert world.statuses("slack") == [PENDING]


async def test_draining_tries_what_fails_only_once(world: World) -> None:
    world.slack.results = [Retry(1.0, "HTTP 503")] * 9
    world.open()
    await world.sender().drain(5.0)
    assert len(world.slack.sent) == 1


async def test_real_channels_tell_an_incident_and_its_end(world: World, receivers: Receivers) -> None:
    """Slack is down for the opening's first attempt, and PagerDuty's answer to it is lost."""
    receivers.answer(SLACK, Answer(status=503))
    receivers.answer(PAGERDUTY, Answer(closes=True, is_accepted=True))
    http = HttpClient()
    notifiers: dict[str, Notifier] = {
        "slack": SlackBot(token="xoxb-1", destination="#alerts", base_url=receivers.slack_api_url),
        "pagerduty": PagerDuty(http, routing_key="r" * 32, url=receivers.pagerduty_url),
    }
    world.open()
    await run_until(world, lambda: world.statuses("slack") + world.statuses("pagerduty") == [SENT, SENT], notifiers)
    world.close()
    await run_until(world, lambda: world.state.phase is Phase.OK, notifiers)
    await http.aclose()
    told = [(delivery["channel"], delivery["kind"]) for delivery in receivers.deliveries()]
    assert [kind for channel, kind in told if channel == "slack"] == ["open", "resolve"]
    assert [kind for channel, kind in told if channel == "pagerduty"] == ["open", "open", "resolve"]
    assert {delivery["dedup_key"] for delivery in receivers.deliveries()} == {KEY}


async def test_a_channel_that_comes_while_it_sends_is_served_and_one_that_goes_is_told_no_more(world: World) -> None:
    sender, stop = world.sender(notifiers={"slack": world.slack}), asyncio.Event()
    world.open("slack")

    def hand_over() -> None:
        sender.follow({"pagerduty": world.pagerduty})
        world.close()
        world.put(NotificationKind.OPEN, "pagerduty")

    world.slack.before_answer = hand_over
    async with asyncio.timeout(20):
        await asyncio.gather(sender.run(stop), stop_when(lambda: bool(world.pagerduty.sent), stop))
    assert world.pagerduty.kinds == ["open"]
    assert world.slack.kinds == ["open"]
    assert world.statuses("slack")[1] is not SENT


async def test_what_is_on_its_way_can_be_waited_for(world: World) -> None:
    world.slack.gate = asyncio.Event()
    world.open("slack")
    sender = world.sender()
    sending = asyncio.create_task(sender.run_once("slack"))
    while not world.slack.sent:  # noqa: ASYNC110  a database announces nothing
        await asyncio.sleep(0)
    ending = asyncio.create_task(sender.finish_under_way())
    await asyncio.sleep(0)
    assert not ending.done()
    world.slack.gate.set()
    await asyncio.gather(sending, ending)
