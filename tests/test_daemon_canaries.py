"""Canaries beside the checks of a daemon: they wait, they come again, and what fails stops nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from monitor.canary import CanaryRun
from monitor.daemon import Daemon
from monitor.errors import MonitorError, StoreUnavailable
from monitor.score import ComponentScore
from monitor.scorers.contract import Answers, Case
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from monitor.studies.canaries import SAID_AT, CanaryStudy, canary_case
from monitor.studies.canaries import Canary as Stored
from monitor.studies.measure import CaseScoring
from monitor.studies.watch import CanaryWatch
from tests.fixtures.checking import Checking
from tests.parties import intent
from tests.test_daemon import Clockwork, Gate

TALK: list[dict[str, object]] = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "30 days"}]


@pytest.fixture
def clock(checking: Checking) -> Clockwork:
    return Clockwork(checking)


class Counting(Task):
    """The real one, which counts what it scored."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        self.count += 1
        return await super().score(case, answers)


def canary(name: str, *, is_good: bool) -> Stored:
    case = canary_case(intent(), TALK)
    return Stored(id=name, kind="k", is_good=is_good, needs_judge=False, case=case, fingerprint=name)


def study(clock: Clockwork, task: Task | None = None) -> CanaryStudy:
    redactor = clock.checking.check().redactor
    return CanaryStudy(
        store=clock.checking.store,
        scoring=CaseScoring(scoring=Scoring([task or Task()], {"task": 1.0}), redactor=redactor),
        epoch="e1",
        canaries=(canary("a", is_good=True), canary("b", is_good=False)),
        now=lambda: SAID_AT,
    )


@dataclass(frozen=True)
class Broken(CanaryStudy):
    """A study that fails."""

    error: Exception = field(default_factory=Exception)
    tries: list[int] = field(default_factory=list)
    thrice: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, *, at_once: int = 1, before_each: Callable[[], Awaitable[None]] | None = None) -> CanaryRun:
        del before_each
        self.tries.append(at_once)
        if len(self.tries) == 3:
            self.thrice.set()
        raise self.error


def broken(clock: Clockwork, error: Exception) -> Broken:
    whole = study(clock)
    return Broken(store=whole.store, scoring=whole.scoring, epoch="e1", canaries=(), now=whole.now, error=error)


def beside(daemon: Daemon, canaries: CanaryStudy | None, every_seconds: float = 0.01) -> CanaryWatch:
    return CanaryWatch(
        study=canaries,
        every_seconds=every_seconds,
        checks=lambda: daemon.running,
        clock=daemon.pulse.clock,
        on_scored=daemon.news.set,
    )


async def test_they_wait_until_no_check_runs(clock: Clockwork) -> None:
    clock.checking.assistant = gate = Gate()
    daemon = clock.daemon()
    await daemon.tick()
    await gate.is_asked.wait()
    task = Counting()
    scoring = asyncio.create_task(beside(daemon, None).score(study(clock, task)))
    for _ in range(50):
        await asyncio.sleep(0)
    assert task.count == 0
    gate.is_open.set()
    assert await scoring
    newest = clock.checking.store.canary_run()
    assert (task.count, newest.scored if newest else None) == (2, 2)


async def test_where_checks_never_pause_they_go_on_after_a_while(clock: Clockwork) -> None:
    clock.checking.assistant = gate = Gate()
    daemon = clock.daemon()
    await daemon.tick()
    await gate.is_asked.wait()
    times = iter([0.0])
    daemon.pulse.clock = lambda: next(times, 1e9)
    assert await beside(daemon, None).score(study(clock))
    gate.is_open.set()
    await asyncio.gather(*daemon.running)


@pytest.mark.parametrize(
    ("error", "told"),
    [(StoreUnavailable("away"), "canaries_not_scored error=away"), (ZeroDivisionError(), "canaries_broke")],
)
async def test_a_failure_is_logged_and_stops_nothing(
    clock: Clockwork,
    error: MonitorError | Exception,
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert not await beside(clock.daemon(), None).score(broken(clock, error))
    assert [record.getMessage() for record in caplog.records] == [told]


async def test_they_come_again_whatever_became_of_them(clock: Clockwork) -> None:
    failing = broken(clock, StoreUnavailable("away"))
    watching = asyncio.create_task(beside(clock.daemon(), failing).run())
    await asyncio.wait_for(failing.thrice.wait(), 20)
    watching.cancel()
    assert set(failing.tries) == {1}


async def test_a_sick_monitor_is_logged_as_an_error_and_published(
    clock: Clockwork,
    caplog: pytest.LogCaptureFixture,
) -> None:
    daemon = clock.daemon()
    with caplog.at_level(logging.INFO):
        assert await beside(daemon, None).score(study(clock))
    (record,) = [record for record in caplog.records if record.getMessage().startswith("canaries_scored")]
    assert record.levelno == logging.ERROR
    assert "the AUC is 0.500" in record.getMessage()
    assert daemon.news.is_set()


async def test_a_new_epoch_is_scored_at_once_and_the_same_one_in_its_time(clock: Clockwork) -> None:
    first, same, other = Counting(), Counting(), Counting()
    daemon = clock.daemon()
    watch = beside(daemon, study(clock, first), 3600.0)
    watching = asyncio.create_task(watch.run())
    await until(daemon.news.is_set)
    await asyncio.sleep(0.01)
    watch.follow(study(clock, same), 3600.0)
    watch.follow(replace(study(clock, other), epoch="e2"), 3600.0)
    await until(lambda: other.count == 2)
    assert same.count == 0
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  a database announces nothing
            await asyncio.sleep(0.01)
