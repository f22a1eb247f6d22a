"""The sender: what it decides, what it writes, and what survives failures of channels, processes and the database."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.delivery import GIVE_UP_AFTER, LEASE_SECONDS, ORPHAN_AFTER
from monitor.delivery_rules import DEAD_LETTER, IN_BETWEEN, Send, Supersede, backoff_seconds, plan
from monitor.incident import Notification, NotificationStatus
from monitor.machine import AlertState, NotificationKind, Phase
from monitor.notify.contract import DeliveryResult, Needless, Ok, Permanent, Retry
from monitor.store import Claim, Store
from monitor.verdict import Severity
from tests.fixtures.outbox import CHANNELS, ScriptedNotifier, World
from tests.notify.samples import ALERT, KEY, OPENED_AT

OPEN, RESOLVE, INFO = NotificationKind.OPEN, NotificationKind.RESOLVE, NotificationKind.INFO
PENDING, SENT, DEAD, SUPERSEDED = (NotificationStatus(value) for value in ("pending", "sent", "dead", "superseded"))
LETTER_KEY = f"{KEY}{DEAD_LETTER}slack"


def row(
    kind: NotificationKind, status: NotificationStatus = PENDING, attempts: int = 0, error: str = ""
) -> Notification:
    return Notification(
        id=kind.value,
        sequence=1,
        incident_id=ALERT.incident_id,
        scope=ALERT.scope,
        channel="slack",
        kind=kind,
        dedup_key=KEY,
        alert=ALERT,
        status=status,
        created_at=OPENED_AT,
        attempts=attempts,
        last_error=error,
    )


def claimed(head: Notification, *followers: Notification) -> Claim:
    return Claim(notification=head, followers=followers, opened=None, owner="a")


def test_what_needs_nobody_to_act_pages_nobody_except_for_a_dead_letter() -> None:
    letter = replace(row(INFO), dedup_key=LETTER_KEY)
    assert plan(claimed(row(INFO)), None, supports_info=True) == Send(INFO)
    assert plan(claimed(row(INFO)), None, supports_info=False) == Supersede()
    assert plan(claimed(letter), None, supports_info=False) == Send(INFO)


@pytest.mark.parametrize("supports_info", [True, False])
def test_an_open_never_attempted_and_already_over_is_dropped(supports_info: bool) -> None:
    assert plan(claimed(row(OPEN), row(RESOLVE)), None, supports_info=supports_info) == Supersede()


@pytest.mark.parametrize(
    "claim", [claimed(row(OPEN)), claimed(row(OPEN, attempts=1), row(RESOLVE)), claimed(row(OPEN), row(INFO))]
)
def test_an_open_that_lasts_or_may_have_been_told_is_sent(claim: Claim) -> None:
    assert plan(claim, None, supports_info=True) == Send(OPEN)


@pytest.mark.parametrize("opening", [row(OPEN, SUPERSEDED), row(OPEN, DEAD, 1, "refused: invalid_auth")])
def test_the_end_of_what_was_never_told_is_information_or_nothing(opening: Notification) -> None:
    claim = claimed(row(RESOLVE))
    assert plan(claim, opening, supports_info=True) == Send(INFO)
    assert plan(claim, opening, supports_info=False) == Supersede()


@pytest.mark.parametrize("kind", sorted(IN_BETWEEN))
def test_what_is_said_in_between_is_dropped_once_the_end_waits(kind: NotificationKind) -> None:
    opening = row(OPEN, SENT, 1)
    assert plan(claimed(row(kind)), opening, supports_info=True) == Send(kind)
    assert plan(claimed(row(kind), row(RESOLVE)), opening, supports_info=True) == Supersede()
    assert plan(claimed(row(kind, attempts=1), row(RESOLVE)), opening, supports_info=True) == Send(kind)


@pytest.mark.parametrize("kind", sorted(IN_BETWEEN))
def test_nothing_is_said_of_what_a_channel_was_never_told(kind: NotificationKind) -> None:
    assert plan(claimed(row(kind)), row(OPEN, SUPERSEDED), supports_info=True) == Supersede()


@pytest.mark.parametrize("kind", [NotificationKind.REMINDER, NotificationKind.UPDATE])
@pytest.mark.parametrize("supports_info", [True, False])
def test_an_open_that_was_refused_is_offered_again_while_the_incident_lasts(
    kind: NotificationKind, supports_info: bool
) -> None:
    refused = row(OPEN, DEAD, 1, "refused: invalid_auth")
    assert plan(claimed(row(kind)), refused, supports_info=supports_info) == Send(OPEN)
    assert plan(claimed(row(kind), row(RESOLVE)), refused, supports_info=supports_info) == Supersede()
    assert plan(claimed(row(NotificationKind.ACK)), refused, supports_info=supports_info) == Supersede()


async def test_a_mended_channel_is_told_of_what_it_refused_and_of_its_end(world: World) -> None:
    world.pagerduty.results = [Permanent("HTTP 400")]
    world.open("pagerduty")
    await world.send_all(world.sender())
    world.put(NotificationKind.REMINDER, "pagerduty")
    await world.send_all(world.sender())
    world.put(NotificationKind.REMINDER, "pagerduty")
    await world.send_all(world.sender())
    world.close()
    await world.send_all(world.sender())
    assert world.pagerduty.kinds == ["open", "open", "reminder", "resolve"]
    assert world.pagerduty.sent[-1].opened_reference == "pagerduty-2"
    assert world.state.phase is Phase.OK


def test_a_reminder_that_waited_until_the_next_is_dropped() -> None:
    reminder, opening = row(NotificationKind.REMINDER), row(OPEN, SENT, 1)
    assert plan(claimed(reminder, reminder), opening, supports_info=True) == Supersede()


@pytest.mark.parametrize(
    "opening",
    [None, row(OPEN, SENT, 1), row(OPEN, DEAD, 1, "gave up: no answer"), row(OPEN, DEAD, 2, "refused: invalid_auth")],
)
def test_the_end_of_what_may_have_been_told_is_told(opening: Notification | None) -> None:
    assert plan(claimed(row(RESOLVE)), opening, supports_info=False) == Send(RESOLVE)


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_a_backoff_grows_within_bounds(attempts: int, jitter: float) -> None:
    assert 1.0 <= backoff_seconds(attempts, jitter) <= backoff_seconds(attempts, 0.0) <= 300.0
    assert backoff_seconds(attempts, 0.0) <= backoff_seconds(attempts + 1, 0.0)


async def test_a_message_that_was_taken_is_sent_and_its_reference_kept(world: World) -> None:
    world.open("slack")
    assert await world.sender().run_once("slack")
    (sent,) = world.rows("slack")
    assert (sent.status, sent.reference, sent.attempts, sent.sent_at) == (SENT, "slack-1", 1, world.now)
    assert not await world.sender().run_once("slack")


async def test_the_attempt_is_written_before_the_call(world: World) -> None:
    attempts: list[int] = []
    world.slack.before_answer = lambda: attempts.append(world.rows("slack")[0].attempts)
    world.open("slack")
    await world.send_all(world.sender())
    assert attempts == [1]


async def test_the_end_knows_its_opening_and_closes_the_alert(world: World) -> None:
    world.open()
    await world.send_all(world.sender())
    world.close()
    await world.send_all(world.sender(), "slack")
    assert world.state.unresolved == ("pagerduty",)
    await world.send_all(world.sender(), "pagerduty")
    assert world.state.phase is Phase.OK
    assert (world.slack.sent[1].opened_reference, world.slack.sent[1].opened) == ("slack-1", ALERT)


async def test_what_is_said_in_between_is_not_the_end(world: World) -> None:
    world.open("slack")
    world.put(NotificationKind.UPDATE, "slack")
    world.close()
    world.put(NotificationKind.ACK, "slack")
    await world.sender().run_once("slack")
    assert world.state.unresolved == ("slack",)


async def test_what_began_and_ended_untold_is_one_information_and_no_page(world: World) -> None:
    world.open()
    world.close()
    await world.send_all(world.sender())
    assert (world.slack.kinds, world.pagerduty.kinds) == (["info"], [])
    assert world.statuses("slack") == [SUPERSEDED, SENT]
    assert world.statuses("pagerduty") == [SUPERSEDED, SUPERSEDED]
    assert world.state.phase is Phase.OK


async def test_an_open_whose_answer_was_lost_is_sent_again_and_then_its_end(world: World) -> None:
    world.open("slack")
    lost = world.store.claim_notification(now=world.now, lease_seconds=LEASE_SECONDS, owner="dead", channel="slack")
    assert lost
    world.store.begin_attempt(lost, now=world.now)
    world.close()
    await world.send_all(world.sender())
    assert world.slack.kinds == []
    world.pass_time(LEASE_SECONDS)
    await world.send_all(world.sender())
    assert world.slack.kinds == ["open", "resolve"]


async def test_a_retry_waits_as_long_as_it_was_told(world: World) -> None:
    world.slack.results = [Retry(120.0, "HTTP 429")]
    world.open("slack")
    await world.send_all(world.sender())
    (waiting,) = world.rows("slack")
    assert (waiting.status, waiting.last_error) == (PENDING, "HTTP 429")
    assert waiting.next_attempt_at == world.now + timedelta(seconds=120)
    world.pass_time(120)
    await world.send_all(world.sender())
    assert world.statuses("slack") == [SENT]


async def test_the_end_waits_behind_an_open_that_is_tried_again(world: World) -> None:
    world.pagerduty.results = [Retry(60.0, "HTTP 503")]
    world.open()
    await world.send_all(world.sender())
    world.close()
    await world.send_all(world.sender())
    assert world.pagerduty.kinds == ["open"]
    world.pass_time(60)
    await world.send_all(world.sender())
    assert world.pagerduty.kinds == ["open", "open", "resolve"]


async def test_after_a_day_a_message_is_a_dead_letter(world: World) -> None:
    world.pagerduty.results = [Retry(900.0, "HTTP 429")] * 1000
    world.open("pagerduty")
    while world.statuses("pagerduty") == [PENDING]:
        await world.send_all(world.sender())
        world.pass_time(900)
    assert world.now - OPENED_AT == GIVE_UP_AFTER + timedelta(minutes=15)
    assert world.rows("pagerduty")[0].last_error == "gave up: HTTP 429"


async def test_a_day_without_any_sender_does_not_kill_a_message_unsent(world: World) -> None:
    world.open("slack")
    world.pass_time(2 * GIVE_UP_AFTER.total_seconds())
    await world.send_all(world.sender())
    assert world.statuses("slack") == [SENT]


async def test_an_attempt_cut_off_over_a_day_ago_is_made_once_more(world: World) -> None:
    world.slack.results = [Retry(1.0, "HTTP 503")]
    world.open("slack")
    lost = world.store.claim_notification(now=world.now, lease_seconds=LEASE_SECONDS, owner="dead")
    assert lost
    world.store.begin_attempt(lost, now=world.now)
    world.pass_time(GIVE_UP_AFTER.total_seconds() + 1)
    await world.send_all(world.sender())
    assert len(world.slack.sent) == 1
    assert world.rows("slack")[0].last_error == "gave up: HTTP 503"


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=3650)])
async def test_a_clock_that_was_ahead_keeps_no_message_waiting(world: World, ahead: timedelta) -> None:
    world.slack.results = [Retry(30.0, "HTTP 503")]
    world.now += ahead
    world.open("slack")
    await world.send_all(world.sender())
    world.now -= ahead
    await world.send_all(world.sender())
    assert world.statuses("slack") == [SENT]


async def test_a_lease_that_was_taken_while_a_clock_was_ahead_is_free(world: World) -> None:
    world.open("slack")
    assert world.store.claim_notification(
        now=world.now + timedelta(hours=1), lease_seconds=LEASE_SECONDS, owner="dead", channel="slack"
    )
    await world.send_all(world.sender())
    assert world.statuses("slack") == [SENT]


async def test_what_a_channel_need_not_be_told_says_nothing_of_the_channel(world: World) -> None:
    world.open("slack")
    await world.send_all(world.sender())
    world.slack.results = [Needless()]
    world.put(NotificationKind.REMINDER, "slack")
    await world.send_all(world.sender())
    assert world.statuses("slack") == [SENT, SUPERSEDED]


@pytest.mark.parametrize("kind", [INFO, NotificationKind.REMINDER, NotificationKind.ACK])
async def test_what_only_repeats_or_informs_is_missed_by_nobody(world: World, kind: NotificationKind) -> None:
    world.open("slack")
    await world.send_all(world.sender())
    world.slack.results = [Permanent("invalid_auth")]
    world.put(kind, "slack")
    await world.send_all(world.sender())
    assert world.rows("slack")[-1].status is DEAD
    assert world.pagerduty.sent == []


async def test_a_channel_may_be_out_of_the_configuration_for_a_while(world: World) -> None:
    world.open()
    await world.send_all(world.sender())
    world.close()
    without = world.sender(notifiers={"slack": world.slack})
    await world.send_all(without)
    assert not await without.bury_orphan()
    await world.send_all(world.sender())
    assert world.pagerduty.kinds == ["open", "resolve"]


async def test_an_open_that_nobody_can_send_any_more_is_told_through_another_channel(world: World) -> None:
    world.open("pagerduty")
    world.pass_time(ORPHAN_AFTER.total_seconds() + 1)
    sender = world.sender(notifiers={"slack": world.slack})
    assert await sender.bury_orphan()
    await world.send_all(sender)
    assert world.statuses("pagerduty") == [DEAD]
    assert "there is no channel pagerduty" in world.slack.sent[-1].alert.reason


async def test_a_dead_letter_is_told_through_the_other_channel_once(world: World) -> None:
    world.slack.results = [Retry(1.0, "HTTP 503"), Permanent("invalid_auth"), Permanent("invalid_auth")]
    world.open()
    await world.send_all(world.sender())
    world.pass_time(1)
    await world.send_all(world.sender())
    world.close()
    await world.send_all(world.sender())
    letters = [message for message in world.pagerduty.sent if message.kind is INFO]
    assert [(m.dedup_key, m.alert.severity) for m in letters] == [(LETTER_KEY, Severity.WARNING)]
    assert "invalid_auth" in letters[0].alert.reason
    assert world.statuses("slack") == [DEAD, DEAD]
    assert world.pagerduty.kinds == ["open", "info", "resolve"]
    assert world.state.phase is Phase.OK


async def test_an_open_that_was_refused_at_once_has_no_end(world: World) -> None:
    world.pagerduty.results = [Permanent("HTTP 400")]
    world.open()
    await world.send_all(world.sender())
    world.close()
    await world.send_all(world.sender())
    assert world.pagerduty.kinds == ["open"]
    assert world.statuses("pagerduty") == [DEAD, SUPERSEDED]
    assert world.state.phase is Phase.OK


async def test_a_dead_letter_about_a_dead_letter_is_not_written(world: World) -> None:
    world.slack.results = [Permanent("invalid_auth")] * 9
    world.pagerduty.results = [Permanent("HTTP 400")] * 9
    world.open()
    await world.send_all(world.sender(), *CHANNELS, *CHANNELS)
    assert world.statuses("slack") == [DEAD, DEAD]
    assert world.statuses("pagerduty") == [DEAD, DEAD]


async def test_a_letter_about_another_channel_does_not_end_the_alert_here(world: World) -> None:
    world.open()
    await world.send_all(world.sender())
    world.slack.results = [Permanent("channel_not_found")]
    world.pagerduty.results = [Retry(60.0, "HTTP 503")]
    world.close()
    await world.send_all(world.sender(), *CHANNELS, *CHANNELS)
    assert world.pagerduty.kinds == ["open", "resolve", "info"]
    assert world.state.unresolved == ("pagerduty",)


async def test_a_sender_that_lost_its_lease_writes_nothing(world: World) -> None:
    world.slack.before_answer = lambda: steal(world)
    world.open("slack")
    assert await world.sender().run_once("slack")
    assert world.statuses("slack") == [PENDING]


def steal(world: World) -> None:
    world.pass_time(LEASE_SECONDS + 1)
    assert world.store.claim_notification(now=world.now, lease_seconds=LEASE_SECONDS, owner="thief")


async def test_two_senders_send_each_message_once(world: World, outbox_url: str) -> None:
    second = Store.open(outbox_url)
    other = World(second)
    other.slack = world.slack
    for _ in range(5):
        world.put(OPEN, "slack")
    await asyncio.gather(world.send_all(world.sender("a"), "slack"), other.send_all(other.sender("b"), "slack"))
    second.close()
    assert len(world.slack.sent) == 5
    assert world.statuses("slack") == [SENT] * 5


class RacingStore(Store):
    """Another daemon writes to the alert just after it was read the first time."""

    is_raced = False

    def alert_state(self, scope: str) -> AlertState:
        state = super().alert_state(scope)
        if state.phase is Phase.RESOLVING and not self.is_raced:
            self.is_raced = True
            self.save_alert_state(replace(state, version=state.version + 1))
        return state


async def test_the_alert_is_stepped_even_when_another_writes_to_it(outbox_url: str) -> None:
    world = World(RacingStore.open(outbox_url))
    world.open("slack")
    await world.send_all(world.sender())
    world.close()
    await world.send_all(world.sender())
    assert world.state.phase is Phase.OK
    assert world.state.version == 4
    world.store.close()


results = st.sampled_from([Ok("r"), Retry(None, "HTTP 503"), Retry(30.0, "HTTP 429"), Permanent("HTTP 400")])


@given(st.lists(results, max_size=4), st.lists(results, max_size=4), st.booleans())
@settings(max_examples=15)
def test_whatever_fails_nothing_is_left_open(
    outbox_schema: Path,
    tmp_path_factory: pytest.TempPathFactory,
    slack: list[DeliveryResult],
    pagerduty: list[DeliveryResult],
    closes_early: bool,
) -> None:
    store = Store.open(f"sqlite:///{shutil.copy(outbox_schema, tmp_path_factory.mktemp('any') / 'monitor.db')}")
    world = World(store)
    world.slack.results, world.pagerduty.results = list(slack), list(pagerduty)
    asyncio.run(play_incident(world, closes_early))
    assert world.state.phase is Phase.OK
    for notifier in (world.slack, world.pagerduty):
        assert_ends_were_told(world, notifier)
    store.close()


async def play_incident(world: World, closes_early: bool) -> None:
    """An incident, and then as much time as its messages need."""
    sender = world.sender()
    world.open()
    if not closes_early:
        await world.send_all(sender)
    world.close()
    while PENDING in world.statuses("slack") + world.statuses("pagerduty"):
        await world.send_all(sender)
        world.pass_time(300)


def assert_ends_were_told(world: World, notifier: ScriptedNotifier) -> None:
    """A delivered open has an end, sent or dead, and an end was sent only after an attempt to open."""
    opened, closed = (row for row in world.rows(notifier.channel) if row.dedup_key == KEY)
    if opened.status is SENT:
        assert closed.status in {SENT, DEAD}
    if "resolve" in notifier.kinds:
        assert notifier.kinds.index("open") < notifier.kinds.index("resolve")
