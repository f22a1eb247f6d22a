"""Channels that refuse, hang and come back: the real sender, database and clients against loopback receivers.

The world's clock moves only when a test says so; what a receiver does takes real time.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import format_datetime
from itertools import product

import pytest

from monitor.delivery import GIVE_UP_AFTER, Sender
from monitor.demo.receivers import PAGERDUTY, SLACK, Answer, Receivers
from monitor.http import HttpClient
from monitor.incident import Notification, NotificationStatus, WorstConversation, WorstIntent
from monitor.machine import NotificationKind
from monitor.notify.contract import ATTEMPT_SECONDS, Notifier
from monitor.notify.pagerduty import PagerDuty
from monitor.notify.slack_bot import SlackBot
from monitor.notify.slack_webhook import SlackWebhook
from tests.faults.daemon import REFUSED, Scene
from tests.faults.invariants import every_end_was_opened, every_open_has_ended
from tests.fixtures.assistants import NO_TRUST
from tests.fixtures.outbox import World

HASTE = 0.3
"""Seconds that an attempt may take where a receiver never answers."""
UNAVAILABLE = Answer(status=503)
LOST = Answer(closes=True, is_accepted=True)
INTERNAL = Answer(body={"ok": False, "error": "internal_error"})
DEAD, PENDING = NotificationStatus.DEAD, NotificationStatus.PENDING
HUGE = 4_000


@dataclass
class Wire:
    """A world's outbox with Slack and PagerDuty behind it. `is_over`: its incident was closed. `may_know`: channels of
    which nobody can tell any more whether they took the open; they are told of the end, rather than left.
    """

    world: World
    receivers: Receivers
    http: HttpClient
    is_over: bool = False
    may_know: frozenset[str] = frozenset()
    sender: Sender = field(init=False)

    def __post_init__(self) -> None:
        self.use("bot")

    def use(self, slack: str, seconds: float = ATTEMPT_SECONDS) -> None:
        """Slack by a bot's token or by a webhook; an attempt may take `seconds`."""
        world, receivers = self.world, self.receivers
        bot = SlackBot(
            token="xoxb-1",
            destination="#on-call",
            base_url=receivers.slack_api_url,
            deadline_seconds=seconds,
            clock=lambda: world.now,
        )
        webhook = SlackWebhook(url=receivers.slack_webhook_url, deadline_seconds=seconds, clock=lambda: world.now)
        pagerduty = PagerDuty(
            self.http, routing_key="r", url=receivers.pagerduty_url, deadline_seconds=seconds, clock=lambda: world.now
        )
        channels: dict[str, Notifier] = {SLACK: bot if slack == "bot" else webhook, PAGERDUTY: pagerduty}
        self.sender = world.sender(notifiers=channels)

    async def send(self, *channels: str) -> None:
        """Everything that is due now, also what one channel has to be told about another."""
        await self.world.send_all(self.sender, *channels)
        await self.world.send_all(self.sender, *channels)

    async def send_for(self, duration: timedelta) -> None:
        """So long, each retry when it is due."""
        end = self.world.now + duration
        while self.world.now < end:
            await self.send()
            due = [row.next_attempt_at for row in self.pending() if row.next_attempt_at]
            self.world.now = min([end, *(at for at in due if at > self.world.now)])

    def close(self) -> None:
        """The incident ends."""
        self.world.close()
        self.is_over = True

    def pending(self) -> list[Notification]:
        """What is still to be sent."""
        return [row for row in self.world.store.notifications() if row.status is PENDING]

    def told(self, channel: str) -> list[str]:
        """The kinds of message that a channel took, in order."""
        return [told["kind"] for told in self.receivers.deliveries() if told["channel"] == channel]

    def asked(self, channel: str) -> int:
        """How often a channel was asked, updates of an earlier message left out."""
        received = [one for one in self.receivers.received if one.channel == channel]
        return sum(not one.path.endswith("chat.update") for one in received)


@pytest.fixture
async def wire(world: World, receivers: Receivers) -> AsyncIterator[Wire]:
    """An incident that just opened. In the end all works again, the incident closes, and O1 and O2 must hold."""
    http = HttpClient(verify=NO_TRUST)
    wire = Wire(world, receivers, http)
    world.open()
    yield wire
    for channel in (SLACK, PAGERDUTY):
        receivers.answer_itself(channel)
    if not wire.is_over:
        wire.close()
    await wire.send_for(timedelta(hours=1))
    await http.aclose()
    every_end_was_opened([told for told in receivers.deliveries() if told["channel"] not in wire.may_know])
    every_open_has_ended(receivers.deliveries())
    assert not wire.pending()


def limited(after: str | None) -> Answer:
    headers = {} if after is None else {"Retry-After": after}
    return Answer(status=429, headers=headers, body={"ok": False, "error": "ratelimited"})


@pytest.mark.parametrize("slack", ["bot", "webhook"])
@pytest.mark.parametrize(
    ("after", "least", "most"),
    [("2", 2, 2), ("1.5", 1.5, 1.5), ("date", 40, 40), ("99999", 900, 900), (None, 1, 2)],
)
async def test_slack_is_asked_again_when_it_says_and_nobody_else_waits(
    wire: Wire, slack: str, after: str | None, least: float, most: float
) -> None:
    """N1. Clamped to 15 minutes; without a word of Slack's by the backoff."""
    wire.use(slack)
    at = format_datetime(wire.world.now + timedelta(seconds=40), usegmt=True)
    wire.receivers.answer(SLACK, limited(at if after == "date" else after))
    await wire.send()
    (row,) = wire.pending()
    assert row.next_attempt_at is not None
    assert least <= (row.next_attempt_at - wire.world.now).total_seconds() <= most
    assert wire.told(PAGERDUTY) == ["open"]
    wire.world.pass_time(least - 0.01)
    await wire.send()
    assert wire.asked(SLACK) == 1
    wire.world.pass_time(most)
    await wire.send()
    assert (wire.asked(SLACK), wire.told(SLACK)) == (2, ["open"])


async def test_a_channel_that_asks_for_a_day_delays_no_check_and_no_other_channel(scene: Scene) -> None:
    """N1. At the level of the daemon."""
    scene.receivers.always_answer(SLACK, limited("99999"))
    scene.worsen()
    daemon = scene.start()
    await daemon.until(lambda: scene.told(PAGERDUTY) == [(PAGERDUTY, "open")], "PagerDuty told")
    await daemon.until(lambda: scene.attempts(SLACK) == 1, "Slack asked")
    done = len(scene.statuses())
    scene.heal()
    await daemon.until(lambda: len(scene.told(PAGERDUTY)) == 2, "the end in PagerDuty")
    await daemon.until(lambda: len(scene.statuses()) >= done + 2, "checks that go on")
    assert scene.attempts(SLACK) == 1


@pytest.mark.parametrize("slack", ["bot", "webhook"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=500), "HTTP 500"),
        (Answer(status=502, body="<html>Bad Gateway</html>"), "HTTP 502"),
        (UNAVAILABLE, "HTTP 503"),
        (Answer(closes=True), "no usable answer: "),
        (Answer(hangs=True), "no answer in time"),
        (Answer(drips=True), "no answer in time"),
        (INTERNAL, "internal_error"),
        (Answer(body="<html>sign in</html>"), ""),
    ],
    ids=["500", "502", "503", "reset", "timeout", "drip", "not ok", "a page"],
)
async def test_what_slack_does_not_take_is_named_and_tried_again(
    wire: Wire, slack: str, answer: Answer, error: str
) -> None:
    """N2. No attempt takes longer than its deadline, which is 15 s."""
    never_answers = answer.hangs or answer.drips
    wire.use(slack, HASTE if never_answers else ATTEMPT_SECONDS)
    wire.receivers.answer(SLACK, answer)
    began = time.monotonic()
    await wire.send(SLACK)
    assert time.monotonic() - began < HASTE + 2.0
    wire.use(slack)
    (row,) = [row for row in wire.pending() if row.channel == SLACK]
    assert row.last_error.startswith(error)
    assert row.last_error
    assert "T000" not in row.last_error
    wire.world.pass_time(2)
    await wire.send(SLACK)
    assert wire.told(SLACK) == ["open"]


def test_an_attempt_may_take_fifteen_seconds() -> None:
    """N2. What the channels are given when nobody says otherwise."""
    assert ATTEMPT_SECONDS == 15.0


@pytest.mark.parametrize(
    ("slack", "answer"),
    [
        ("bot", Answer(body={"ok": False, "error": "invalid_auth"})),
        ("bot", Answer(body={"ok": False, "error": "channel_not_found"})),
        ("webhook", Answer(status=404, body="no_service")),
        ("webhook", Answer(status=410, body="channel_is_archived")),
    ],
    ids=["invalid_auth", "channel_not_found", "404", "410"],
)
async def test_what_slack_refuses_for_good_is_told_through_pagerduty_and_never_asked_again(
    wire: Wire, slack: str, answer: Answer
) -> None:
    """N3. Its end is nobody's concern there either."""
    wire.use(slack)
    wire.receivers.always_answer(SLACK, answer)
    await wire.send_for(timedelta(hours=6))
    assert wire.world.statuses(SLACK) == [DEAD]
    assert wire.asked(SLACK) == 1
    assert wire.told(PAGERDUTY) == ["open", "info"]
    wire.close()
    await wire.send_for(timedelta(hours=6))
    assert wire.told(SLACK) == []
    assert wire.told(PAGERDUTY) == ["open", "info", "resolve"]


def keys(receivers: Receivers) -> set[object]:
    return {one.body.get("dedup_key") for one in receivers.received if one.channel == PAGERDUTY}


async def test_pagerduty_that_is_away_for_twenty_minutes_hears_all_in_order_under_one_key(wire: Wire) -> None:
    """N4. Few attempts, and those of the open before its end."""
    wire.receivers.always_answer(PAGERDUTY, UNAVAILABLE)
    await wire.send_for(timedelta(minutes=10))
    wire.close()
    await wire.send_for(timedelta(minutes=10))
    assert 5 <= wire.asked(PAGERDUTY) <= 20
    assert {one.body["event_action"] for one in wire.receivers.received if one.channel == PAGERDUTY} == {"trigger"}
    wire.receivers.answer_itself(PAGERDUTY)
    await wire.send_for(timedelta(minutes=6))
    assert wire.told(PAGERDUTY) == ["open", "resolve"]
    assert len(keys(wire.receivers)) == 1


async def test_pagerduty_that_says_429_for_ever_is_a_dead_letter_after_a_day_and_slack_says_so(wire: Wire) -> None:
    """N4. It is asked as seldom as it says: each quarter of an hour."""
    wire.receivers.always_answer(PAGERDUTY, limited("900"))
    await wire.send_for(GIVE_UP_AFTER + timedelta(hours=1))
    assert wire.world.statuses(PAGERDUTY) == [DEAD]
    assert wire.asked(PAGERDUTY) <= GIVE_UP_AFTER / timedelta(seconds=900) + 1
    assert wire.told(SLACK) == ["open", "info"]
    wire.may_know = frozenset({PAGERDUTY})


async def test_an_event_that_pagerduty_calls_invalid_is_a_dead_letter_at_once(wire: Wire) -> None:
    """N4. Told in Slack; no second attempt, and no end."""
    wire.receivers.always_answer(PAGERDUTY, Answer(status=400, body={"status": "invalid event", "errors": ["no"]}))
    await wire.send_for(timedelta(hours=1))
    assert (wire.world.statuses(PAGERDUTY), wire.asked(PAGERDUTY)) == ([DEAD], 1)
    assert wire.told(SLACK) == ["open", "info"]


async def test_an_event_whose_answer_was_lost_is_sent_again_under_its_key(wire: Wire) -> None:
    """N4. PagerDuty makes one incident of both."""
    wire.receivers.answer(PAGERDUTY, LOST)
    await wire.send_for(timedelta(minutes=1))
    assert wire.told(PAGERDUTY) == ["open", "open"]
    assert len(keys(wire.receivers)) == 1


async def test_an_incident_that_was_over_before_anybody_was_asked_is_one_information(wire: Wire) -> None:
    """N5. In Slack; PagerDuty is not woken for what is over."""
    wire.world.pass_time(600)
    wire.close()
    await wire.send()
    assert wire.told(SLACK) == ["info"]
    assert wire.asked(PAGERDUTY) == 0


@pytest.mark.parametrize("answer", [Answer(hangs=True), LOST, UNAVAILABLE], ids=["silence", "lost answer", "503"])
async def test_an_incident_of_which_slack_may_know_is_opened_and_ended(wire: Wire, answer: Answer) -> None:
    """N5. Duplicate rather than lose."""
    wire.use("bot", HASTE if answer.hangs else ATTEMPT_SECONDS)
    wire.receivers.answer(SLACK, answer)
    await wire.send(SLACK)
    wire.use("bot")
    wire.close()
    await wire.send_for(timedelta(minutes=1))
    assert wire.told(SLACK)[-2:] == ["open", "resolve"]
    assert len(wire.told(SLACK)) == (3 if answer.is_accepted else 2)


async def test_a_fall_and_its_end_while_slack_is_away_are_both_told_when_it_is_back(scene: Scene) -> None:
    """N5. At the level of the daemon; PagerDuty hears both in time."""
    scene.receivers.always_answer(SLACK, REFUSED)
    scene.worsen()
    daemon = scene.start()
    await daemon.until(lambda: scene.told(PAGERDUTY) == [(PAGERDUTY, "open")], "PagerDuty told")
    await daemon.until(lambda: scene.attempts(SLACK) > 0, "Slack asked")
    scene.heal()
    await daemon.until(lambda: len(scene.told(PAGERDUTY)) == 2, "the end in PagerDuty")
    scene.receivers.answer_itself(SLACK)
    await daemon.until(lambda: len(scene.told(SLACK)) == 2, "both in Slack")
    assert scene.told(SLACK) == [(SLACK, "open"), (SLACK, "resolve")]
    assert scene.told(PAGERDUTY) == [(PAGERDUTY, "open"), (PAGERDUTY, "resolve")]


@pytest.mark.parametrize("slack", ["bot", "webhook"])
@pytest.mark.parametrize("character", ["x", "<", "`", "🔥"], ids=ascii)
async def test_what_is_over_the_limits_is_shortened_and_delivered(wire: Wire, slack: str, character: str) -> None:
    """N6. The receivers refuse what Slack and PagerDuty refuse: 3000 characters, 50 blocks, 1024, 512 KB."""
    wire.use(slack)
    text = character * HUGE
    intents = tuple(WorstIntent(intent_id=text, mean=0.0, before=1.0) for _ in range(50))
    talks = tuple(WorstConversation(id=text, intent_id=text, value=0.0, summary=text) for _ in range(50))
    for kind, channel in product((NotificationKind.OPEN, NotificationKind.RESOLVE), (SLACK, PAGERDUTY)):
        draft = wire.world.draft(kind, channel)
        alert = replace(draft.alert, title=text, reason=text, worst_intents=intents, worst_conversations=talks)
        wire.world.store.enqueue(replace(draft, incident_id="huge", dedup_key="huge", alert=alert))
        await wire.send()
    assert not wire.pending()
    assert wire.told(SLACK) == wire.told(PAGERDUTY) == ["open", "open", "resolve"]
    assert all(one.is_accepted for one in wire.receivers.received)
