"""Which slot the daemon starts when, with a clock that the test moves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from monitor.assistants.contract import Reply
from monitor.audit import AuditEntry
from monitor.check import CheckStatus, Conversation, Slot
from monitor.daemon import Daemon, ScheduledCheck
from monitor.delivery import Sender
from monitor.errors import EngineFailure, StoreUnavailable
from monitor.pulse import Pulse
from monitor.schedule import Every
from monitor.sdnotify import ServiceManager
from monitor.store import Closing, Store
from monitor.suppression import Silence
from monitor.transcript import ReportedCall, ToolCall
from tests.fixtures.checking import Checking
from tests.keeping.away import Away, CutStore
from tests.parties import T0, EchoAssistant

HOUR = timedelta(hours=1)


class Gate(EchoAssistant):
    """Answers only when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.is_open, self.is_asked = asyncio.Event(), asyncio.Event()

    async def send(self, text: str) -> Reply:
        self.is_asked.set()
        await self.is_open.wait()
        return await super().send(text)


class Clockwork:
    """A daemon over one suite that is due every hour."""

    def __init__(self, checking: Checking) -> None:
        self.checking = checking
        self.at = T0 + timedelta(minutes=1)

    def daemon(self, owner: str = "me") -> Daemon:
        async def nothing() -> None:
            return None

        check = replace(self.checking.check(rounds=1), now=lambda: self.at)
        return Daemon(
            suites={"s": ScheduledCheck(check=check, schedule=Every(3600), second_attempt_grace_seconds=600)},
            store=self.checking.store,
            sender=Sender(self.checking.store, {}, owner=owner),
            pulse=Pulse(lambda: 0.0),
            manager=ServiceManager({}),
            owner=owner,
            now=lambda: self.at,
            retire=nothing,
            publish=nothing,
            news=asyncio.Event(),
            retention_days=90,
        )

    def slots(self) -> list[tuple[datetime | None, CheckStatus]]:
        return [(check.slot_at, check.status) for check in reversed(self.checking.store.checks("s"))]


@pytest.fixture
def clockwork(checking: Checking) -> Clockwork:
    return Clockwork(checking)


async def finish(daemon: Daemon) -> None:
    await asyncio.gather(*daemon.running)


async def test_a_first_start_checks_at_once_and_then_once_a_slot(clockwork: Clockwork) -> None:
    daemon = clockwork.daemon()
    for _ in range(3):
        await daemon.tick()
        await finish(daemon)
    clockwork.at += HOUR
    await daemon.tick()
    await finish(daemon)
    assert [slot for slot, _ in clockwork.slots()] == [T0, T0 + HOUR]


async def test_after_a_long_pause_there_is_one_catch_up(clockwork: Clockwork) -> None:
    daemon = clockwork.daemon()
    await daemon.tick()
    await finish(daemon)
    clockwork.at += 50 * HOUR
    for _ in range(3):
        await daemon.tick()
        await finish(daemon)
    assert [slot for slot, _ in clockwork.slots()] == [T0, T0 + 50 * HOUR]


async def test_a_slot_that_comes_while_a_check_runs_is_skipped_with_a_warning(
    clockwork: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    clockwork.checking.assistant = gate = Gate()
    daemon = clockwork.daemon()
    await daemon.tick()
    clockwork.at += HOUR
    with caplog.at_level(logging.WARNING):
        await daemon.tick()
        await daemon.tick()
    gate.is_open.set()
    await finish(daemon)
    await daemon.tick()
    assert [slot for slot, _ in clockwork.slots()] == [T0]
    assert [record.getMessage().split()[0] for record in caplog.records] == ["check_overlaps"]


@pytest.mark.parametrize(("later", "attempts"), [(timedelta(minutes=2), 2), (timedelta(minutes=20), 1)])
async def test_a_check_that_was_lost_is_run_once_more_while_its_slot_is_young(
    clockwork: Clockwork, later: timedelta, attempts: int
) -> None:
    clockwork.checking.assistant = gate = Gate()
    first = clockwork.daemon("first")
    await first.tick()
    await gate.is_asked.wait()
    await first.stop_checks()
    gate.is_open.set()
    clockwork.at += later
    for owner in ("second", "third"):
        daemon = clockwork.daemon(owner)
        await daemon.tick()
        await finish(daemon)
    statuses = [status for _, status in clockwork.slots()]
    assert statuses[0] is CheckStatus.ABORTED
    assert len(statuses) == attempts


async def test_numbers_are_published_without_news_too_as_another_daemon_may_have_run_the_check(
    clockwork: Clockwork,
) -> None:
    published = 0
    twice = asyncio.Event()

    async def publish() -> None:
        nonlocal published
        published += 1
        if published == 2:
            twice.set()

    daemon = replace(clockwork.daemon(), publish=publish, publish_seconds=0.01)
    publishing = asyncio.create_task(daemon.keep_published())
    async with asyncio.timeout(20):
        await twice.wait()
    publishing.cancel()
    assert not daemon.news.is_set()
    assert published >= 2


async def test_progress_is_noted_at_every_tick_and_missed_after_a_minute() -> None:
    seconds = [0.0]
    pulse = Pulse(lambda: seconds[0])
    assert pulse.is_beating
    pulse.beat()
    seconds[0] = 59.0
    assert pulse.is_beating
    seconds[0] = 60.0
    assert not pulse.is_beating


class AwayOnce(Store):
    """A store that is away at the first claim."""

    is_away = True

    def claim_slot(self, *args: Any, **kwargs: Any) -> Any:
        if self.is_away:
            self.is_away = False
            raise StoreUnavailable("the database is away")
        return super().claim_slot(*args, **kwargs)


async def test_a_database_that_is_away_for_a_moment_costs_no_slot(
    clockwork: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = clockwork.daemon()
    clockwork.checking.store.__class__ = AwayOnce
    with caplog.at_level(logging.INFO):
        await daemon.tick()
        await daemon.tick()
        await finish(daemon)
    assert clockwork.slots() == [(T0, CheckStatus.HEALTHY)]
    said = [record.getMessage().split()[0] for record in caplog.records if record.name == "monitor.daemon"]
    assert said[:2] == ["slots_not_claimed", "slots_claimed_again"]


class LosesConversations(Store):
    """A store that loses its connection in the middle of one check, and cannot even close it."""

    losses = 2

    def save_conversation(self, conversation: Conversation, slot: Slot | None) -> None:
        self._fail()
        super().save_conversation(conversation, slot)

    def close_check(self, ending: Closing) -> None:
        self._fail()
        super().close_check(ending)

    def _fail(self) -> None:
        if self.losses:
            self.losses -= 1
            raise StoreUnavailable("the database is away")


async def test_a_check_that_failed_on_the_database_is_run_once_more(clockwork: Clockwork) -> None:
    daemon = clockwork.daemon()
    clockwork.checking.store.__class__ = LosesConversations
    for _ in range(4):
        await daemon.tick()
        await finish(daemon)
    assert sorted(clockwork.slots()) == [(T0, CheckStatus.ABORTED), (T0, CheckStatus.HEALTHY)]
    assert daemon.news.is_set()


async def test_a_check_whose_user_could_not_be_loaded_is_run_once_more(clockwork: Clockwork) -> None:
    failures = [EngineFailure("the engine cannot be started")]

    @asynccontextmanager
    async def in_use() -> AsyncIterator[None]:
        if failures:
            raise failures.pop()
        yield

    daemon = clockwork.daemon()
    scheduled = daemon.suites["s"]
    daemon.suites = {"s": replace(scheduled, check=replace(scheduled.check, user_in_use=in_use))}
    for _ in range(4):
        await daemon.tick()
        await finish(daemon)
    assert sorted(clockwork.slots()) == [(T0, CheckStatus.ABORTED), (T0, CheckStatus.HEALTHY)]


class RemembersLeases(Store):
    """A store that keeps how long slots were asked for."""

    leases: ClassVar[list[float]] = []

    def claim_slot(self, *args: Any, **kwargs: Any) -> Any:
        self.leases.append(kwargs["lease_seconds"])
        return super().claim_slot(*args, **kwargs)


async def test_a_slot_is_held_for_a_short_lease_however_long_its_check_may_take(clockwork: Clockwork) -> None:
    daemon = clockwork.daemon()
    clockwork.checking.store.__class__ = RemembersLeases
    await daemon.tick()
    await finish(daemon)
    assert RemembersLeases.leases == [120.0]


async def test_what_was_kept_is_replayed_before_a_check_starts(clockwork: Clockwork, tmp_path: Path) -> None:
    away = Away(tmp_path, clockwork.checking)
    kept = await away.run_cut_off()
    daemon = clockwork.daemon()
    daemon.keeper = away.keeper
    away.come_back()
    away.assistant.store = None
    await daemon.tick()
    assert not daemon.running
    await away.keeper.replay()
    await daemon.tick()
    await finish(daemon)
    assert clockwork.slots() == [(None, kept.status), (T0, CheckStatus.HEALTHY)]


async def test_a_daemon_starts_while_nothing_can_be_written_and_settles_later(
    clockwork: Clockwork, caplog: pytest.LogCaptureFixture
) -> None:
    store = clockwork.checking.store
    store.__class__ = CutStore
    store.is_away = True  # type: ignore[attr-defined]
    daemon = clockwork.daemon()
    await daemon._settle_or_wait()
    await daemon.tick()
    await daemon.tick()
    assert caplog.text.count("slots_not_claimed") == 1
    store.is_away = False  # type: ignore[attr-defined]
    await daemon.tick()
    await finish(daemon)
    assert clockwork.slots() == [(T0, CheckStatus.HEALTHY)]


async def test_reported_tool_calls_are_forgotten_after_a_day(clockwork: Clockwork) -> None:
    store, call = clockwork.checking.store, ToolCall(name="cancel", arguments="{}", was_reported=True)
    for number, at in enumerate((T0, T0 + 2 * HOUR)):
        store.save_reported(ReportedCall(conversation_id="c", id=str(number), at=at, call=call))
    clockwork.at = T0 + 25 * HOUR
    await clockwork.daemon().forget_old()
    assert [report.id for report in store.reported("c")] == ["1"]


async def test_silences_and_deeds_are_forgotten_after_their_time(clockwork: Clockwork) -> None:
    store = clockwork.checking.store
    for number in range(2):
        at = T0 + number * 720 * HOUR
        silence = Silence(
            id=str(number), scope_pattern="*", created_by="ann", reason="x", starts_at=at, ends_at=at + HOUR
        )
        store.add_silence(silence, AuditEntry(at=at, actor="ann", action="silence.add", subject=str(number)))
    clockwork.at = T0 + 95 * 24 * HOUR
    daemon = clockwork.daemon()
    daemon.retention_days, daemon.audit_days = 90, 60
    await daemon.forget_old()
    assert [silence.id for silence in store.silences()] == ["1"]
    assert store.audit() == []


async def test_a_check_that_runs_goes_on_while_its_suite_is_given_up(clockwork: Clockwork) -> None:
    clockwork.checking.assistant = gate = Gate()
    daemon = clockwork.daemon()
    await daemon.tick()
    await gate.is_asked.wait()
    (going_on,) = await daemon.follow({}, None, 60.0)
    assert daemon.busy == ("s",)
    gate.is_open.set()
    await going_on
    clockwork.at += HOUR
    await daemon.tick()
    assert len(clockwork.slots()) == 1


async def test_a_suite_is_not_given_up_in_the_middle_of_a_tick(clockwork: Clockwork) -> None:
    daemon = clockwork.daemon()
    _, going_on = await asyncio.gather(daemon.tick(), daemon.follow({}, None, 60.0))
    assert len(going_on) == 1
    await finish(daemon)
