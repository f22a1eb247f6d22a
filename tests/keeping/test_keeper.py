"""A check whose end the database cannot take: kept, told, replayed once, and taken back where it counts no more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from monitor.check import CheckStatus, Trigger
from monitor.errors import StoreUnavailable
from monitor.incident import NotificationStatus
from monitor.machine import NotificationKind, Phase
from monitor.notify.contract import Permanent, Retry
from tests.fixtures.checking import BAD, GOOD, Checking
from tests.keeping.away import Away
from tests.parties import T0

OVERALL = "s/overall"
OPEN, RESOLVE = NotificationKind.OPEN, NotificationKind.RESOLVE
SENT, PENDING = NotificationStatus.SENT, NotificationStatus.PENDING


@pytest.fixture
def away(tmp_path: Path, checking: Checking) -> Away:
    checking.answers(BAD)
    return Away(tmp_path, checking)


def outbox(away: Away) -> list[tuple[str, NotificationKind, NotificationStatus, int]]:
    return [(row.channel, row.kind, row.status, row.attempts) for row in away.store.notifications()]


async def test_a_check_that_loses_its_database_ends_and_is_kept(away: Away) -> None:
    done = await away.run_cut_off()
    assert done.status is CheckStatus.DEGRADED
    assert not away.keeper.is_clear
    assert away.checking.published == 0
    stored = away.store.check(done.id)
    assert stored is not None
    assert stored.status is CheckStatus.RUNNING


async def test_an_open_is_told_from_memory_under_its_key_and_replayed_as_sent(away: Away) -> None:
    done = await away.run_cut_off()
    await away.keeper.announce()
    told = [message.dedup_key for message in (*away.slack.sent, *away.pagerduty.sent)]
    assert told == [f"app:test:{OVERALL}"] * 2
    away.come_back()
    await away.keeper.replay()
    assert sorted(outbox(away)) == [("pagerduty", OPEN, SENT, 1), ("slack", OPEN, SENT, 1)]
    assert [row.reference for row in away.store.notifications()] == ["slack-1", "pagerduty-1"]
    assert away.store.alert_state(OVERALL).phase is Phase.FIRING
    assert away.store.check(done.id) == done
    assert len(away.store.conversations(done.id)) == 2
    assert (away.keeper.is_clear, away.replayed, away.spool.lost) == (True, 1, 0)


async def test_recovery_after_a_replay_is_told_to_whoever_was_told_from_memory(away: Away) -> None:
    await away.run_cut_off()
    await away.keeper.announce()
    away.come_back()
    await away.keeper.replay()
    away.checking.answers(GOOD)
    for _ in range(2):
        await away.run()
    assert sorted(outbox(away))[1::2] == [("pagerduty", RESOLVE, PENDING, 0), ("slack", RESOLVE, PENDING, 0)]


async def test_an_end_is_not_told_from_memory(away: Away) -> None:
    await away.run()
    away.checking.answers(GOOD)
    await away.run()
    await away.run_cut_off()
    await away.keeper.announce()
    assert away.slack.sent == away.pagerduty.sent == []
    away.come_back()
    await away.keeper.replay()
    assert [row.kind for row in away.store.notifications()] == [OPEN, OPEN, RESOLVE, RESOLVE]


async def test_what_was_kept_survives_a_killed_process_and_is_told_once(away: Away) -> None:
    done = await away.run_cut_off()
    await away.keeper.announce()
    away.restart()
    away.come_back()
    await away.keeper.replay()
    await away.keeper.announce()
    await away.keeper.replay()
    assert away.store.check(done.id) == done
    assert (len(away.slack.sent), len(away.pagerduty.sent)) == (1, 1)
    assert [row.status for row in away.store.notifications()] == [SENT, SENT]


async def test_a_replay_that_the_database_cuts_off_is_done_again(away: Away) -> None:
    done = await away.run_cut_off()
    with pytest.raises(StoreUnavailable):
        await away.keeper.replay()
    assert not away.keeper.is_clear
    away.come_back()
    await away.keeper.replay()
    assert away.store.check(done.id) == done


async def test_a_channel_that_is_down_is_asked_again_when_it_is_due_and_by_the_outbox_in_the_end(away: Away) -> None:
    away.slack.results = [Retry(None, "503")] * 9
    await away.run_cut_off()
    await away.keeper.announce()
    await away.keeper.announce()
    assert len(away.slack.sent) == 1
    away.seconds = 10.0
    await away.keeper.announce()
    assert (len(away.slack.sent), len(away.pagerduty.sent)) == (2, 1)
    away.come_back()
    await away.keeper.replay()
    assert sorted(outbox(away)) == [("pagerduty", OPEN, SENT, 1), ("slack", OPEN, PENDING, 2)]


async def test_a_refusal_is_left_to_the_outbox(away: Away) -> None:
    away.slack.results = [Permanent("invalid_auth")]
    await away.run_cut_off()
    for away.seconds in (0.0, 1000.0):
        await away.keeper.announce()
    assert len(away.slack.sent) == 1
    away.come_back()
    await away.keeper.replay()
    assert ("slack", OPEN, PENDING, 1) in outbox(away)


async def test_a_replay_whose_slot_was_taken_over_is_dropped_and_its_page_taken_back(away: Away) -> None:
    store, later = away.store, T0 + timedelta(seconds=61)
    slot = store.claim_slot("s", T0, owner="me", now=T0, lease_seconds=60, second_attempt_grace_seconds=600)
    done = await away.run_cut_off(slot)
    await away.keeper.announce()
    away.come_back()
    taken = store.claim_slot("s", T0, owner="other", now=later, lease_seconds=60, second_attempt_grace_seconds=600)
    assert taken is not None
    await away.keeper.replay()
    stored = store.check(done.id)
    assert stored is not None
    assert stored.status is CheckStatus.ABORTED
    assert (away.keeper.is_clear, away.spool.lost) == (True, 1)
    assert sorted(outbox(away)) == [
        ("pagerduty", OPEN, SENT, 1),
        ("pagerduty", RESOLVE, PENDING, 0),
        ("slack", OPEN, SENT, 1),
        ("slack", RESOLVE, PENDING, 0),
    ]
    assert [incident.closed_at is None for incident in store.incidents()] == [False]


async def test_a_page_of_a_dropped_replay_stays_open_where_another_found_the_same(away: Away) -> None:
    store, later = away.store, T0 + timedelta(seconds=61)
    slot = store.claim_slot("s", T0, owner="me", now=T0, lease_seconds=60, second_attempt_grace_seconds=600)
    await away.run_cut_off(slot)
    await away.keeper.announce()
    taken = store.claim_slot("s", T0, owner="other", now=later, lease_seconds=60, second_attempt_grace_seconds=600)
    away.come_back()
    away.assistant.store = None
    await away.checking.check(rounds=1).run(Trigger.SCHEDULE, seed=2, slot=taken)
    await away.keeper.replay()
    assert store.alert_state(OVERALL).phase is Phase.FIRING
    assert RESOLVE not in {row.kind for row in store.notifications()}
    assert len(store.incidents()) == 1


async def test_a_check_of_a_suite_that_is_gone_is_dropped(away: Away) -> None:
    await away.run_cut_off()
    away.keeper.suites = dict
    away.come_back()
    await away.keeper.replay()
    assert (away.keeper.is_clear, away.spool.lost) == (True, 1)


async def test_without_room_for_what_was_heard_the_page_is_told_and_taken_back(away: Away) -> None:
    await away.run_cut_off()
    (whole,) = away.spool.entries()
    away.come_back()
    away.spool.max_bytes = len(whole.payload) * 9 // 10  # two checks differ by some digits
    away.spool.remove(whole.name)
    away.keeper.suites = dict
    await away.run_cut_off()
    assert away.spool.lost == 1
    await away.keeper.announce()
    assert away.pagerduty.kinds == ["open"]
    away.come_back()
    await away.keeper.replay()
    assert ("pagerduty", RESOLVE, PENDING, 0) in outbox(away)
    assert (away.keeper.is_clear, away.spool.lost) == (True, 1)


async def test_an_entry_of_another_version_is_dropped_and_counted(away: Away) -> None:
    away.spool.add(b"{}")
    await away.keeper.replay()
    assert (away.keeper.is_clear, away.spool.lost) == (True, 1)


async def test_a_database_that_is_back_before_the_end_takes_everything(away: Away) -> None:
    away.assistant.store = away.store
    check = away.check()
    done = await check.run(Trigger.ALERTING, seed=1, on_progress=lambda _: away.come_back())
    assert away.store.check(done.id) == done
    assert len(away.store.conversations(done.id)) == 2
    assert away.keeper.is_clear
