"""What people, checks, reloads, the sender and retention do at once: as if each had been alone, and nothing lost.

Whoever is about to write can be made to wait until another has written: the clock and the routes that operations and
checks are given do the other's work first.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck as Health
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from monitor.briefing import Surroundings
from monitor.check import CheckStatus, Trigger
from monitor.delivery import Sender
from monitor.errors import NotThere, StaleWrite
from monitor.healthcheck import Decision, HealthCheck
from monitor.incident import Incident
from monitor.machine import AlertPolicy, NotificationKind
from monitor.machine import Phase as AlertPhase
from monitor.operations import Operations
from monitor.rules.policy import BaselinePolicy, IntentPolicy, RoundsPolicy, RulesPolicy
from monitor.store import Store, migrate, tables
from monitor.store.database import Database
from monitor.store.engine import connect, parse
from tests.faults.daemon import Scene
from tests.fixtures.checking import BAD, GOOD, Checking
from tests.fixtures.outbox import ScriptedNotifier
from tests.parties import T0

SUITE = "s"
CHANNEL = "slack"
HOUR = timedelta(hours=1)
T = TypeVar("T")
KEPT = timedelta(days=3)
RULES = RulesPolicy(
    rounds=RoundsPolicy(least=1, wave=1, most=1),
    baseline=BaselinePolicy(armed=2, full=3),
    intent=IntentPolicy(limit=2.0, highest_share=0.9),
)
RELOADED = {"all": RULES, "no intents": replace(RULES, intent=None), "no quality": replace(RULES, quality=None)}
DEEDS = ["check good", "check bad", "ack", "resolve", "silence", "expire", "rebaseline", "deliver", "forget"]
DEEDS += [f"reload {name}" for name in RELOADED]
OPENS, ENDS = NotificationKind.OPEN, NotificationKind.RESOLVE
HOME = Surroundings(app="app", environment="test", base_url=None)


class World:
    """A monitor on a real store. `interrupt` is called wherever somebody has read and is about to write."""

    def __init__(self, store: Store, interrupt: Callable[[], None] = lambda: None) -> None:
        self.store, self.at, self.rules = store, T0, RULES
        self.interrupt = interrupt
        self.notifier = ScriptedNotifier(CHANNEL, supports_info=True)
        self.operations = Operations(
            store=store, policy_of=self.policy_of, rules_of=lambda _: self.rules, surroundings=HOME, now=self.now
        )

    def now(self) -> datetime:
        self.interrupt()
        return self.at

    def policy_of(self, _: str) -> AlertPolicy:
        self.interrupt()
        return AlertPolicy.everywhere(CHANNEL)

    def check(self, answer: str) -> CheckStatus:
        checking = Checking(self.store)
        checking.answers(answer)
        plain = checking.check(rounds=1)
        decision = Decision(rules=self.rules, policy_of=self.policy_of, surroundings=HOME)
        check: HealthCheck = replace(plain, decision=decision, now=lambda: self.at)
        return in_thread(check.run(Trigger.ALERTING, seed=1)).status

    def deliver(self) -> None:
        sender = Sender(self.store, {CHANNEL: self.notifier}, owner="a", clock=lambda: self.at)

        async def send_all() -> None:
            while await sender.run_once(CHANNEL):
                pass

        in_thread(send_all())

    def forget(self) -> None:
        for retire in (self.store.retire, self.store.retire_silences, self.store.retire_audit):
            while retire(older_than=self.at - KEPT, batch=2) == 2:
                pass


def in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine, also from within another one."""
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(asyncio.run, work).result()


def check_alerts(store: Store) -> None:
    """States, incidents and the outbox say the same."""
    states = {state.scope: state for state in store.alert_states()}
    incidents = store.incidents(limit=10_000)
    is_open = [incident for incident in incidents if incident.closed_at is None]
    firing = {scope: state for scope, state in states.items() if state.phase is AlertPhase.FIRING}
    assert {i.scope: i.id for i in is_open} == {scope: state.incident_id for scope, state in firing.items()}
    assert len(is_open) == len(firing)
    assert {i.scope: i.acked_by for i in is_open} == {scope: state.acked_by for scope, state in firing.items()}
    for incident in incidents:
        told = Counter(message.kind for message in store.notifications(incident.id))
        assert told[OPENS] <= 1
        assert told[ENDS] == (told[OPENS] if incident.closed_at else 0)


class AtOnce(RuleBasedStateMachine):
    """One deed after another, each of which another may overtake; the order in which they end is the order of all."""

    opened: ClassVar[Callable[[], Store]]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(type(self).opened(), self.overtake)
        self.rivals: list[str] = []
        self.moment = 0
        self.deeds: list[tuple[datetime, str, str]] = []
        self.acks: dict[str, str] = {}
        self.silences: dict[str, datetime] = {}
        self.versions: dict[str, int] = {}
        self.checks = self.restarts = self.lessons = self.people = 0

    def teardown(self) -> None:
        try:
            self.all_ends_well()
        finally:
            self.world.store.close()

    @initialize(answers=st.lists(st.sampled_from([GOOD, GOOD, BAD]), min_size=2, max_size=4))
    def warm_up(self, answers: list[str]) -> None:
        for answer in answers:
            self.do_check(answer)

    def overtake(self) -> None:
        """At the moment that was drawn, what was drawn is done first."""
        self.moment -= 1
        if self.moment == 0:
            for rival in self.rivals:
                self.deed(rival)

    @rule(
        name=st.sampled_from(DEEDS),
        rivals=st.lists(st.sampled_from(DEEDS), min_size=1, max_size=3),
        moment=st.integers(1, 4),
    )
    def something_is_done_while_others_overtake(self, name: str, rivals: list[str], moment: int) -> None:
        self.rivals, self.moment = rivals, moment
        self.deed(name)
        self.moment = 0

    def deed(self, name: str) -> None:
        match name.split():
            case ["check", answer]:
                self.do_check({"good": GOOD, "bad": BAD}[answer])
            case ["reload", *to]:
                self.do_reload(" ".join(to))
            case _:
                {
                    "ack": self.do_ack,
                    "resolve": self.do_resolve,
                    "silence": self.do_silence,
                    "expire": self.do_expire,
                    "rebaseline": self.do_rebaseline,
                    "deliver": self.world.deliver,
                    "forget": self.world.forget,
                }[name]()

    @rule(hours=st.sampled_from([1, 4, 30, 75]))
    def time_goes_by(self, hours: int) -> None:
        self.world.at += hours * HOUR
        self.world.operations.tick()
        self.world.forget()
        self.deeds = [deed for deed in self.deeds if deed[0] >= self.world.at - KEPT]
        self.silences = {name: end for name, end in self.silences.items() if end >= self.world.at - KEPT}

    def do_check(self, answer: str) -> None:
        self.world.check(answer)
        self.checks += 1
        self.lessons += 1

    def do_ack(self) -> None:
        if incident := self.an_incident():
            with suppress(NotThere):
                by = self.somebody()
                self.world.operations.acknowledge(incident.id, by=by, lasting=4 * HOUR)
                self.deeds.append((self.world.at, "incident.ack", by))
                self.acks[incident.id] = by

    def do_resolve(self) -> None:
        if incident := self.an_incident():
            with suppress(NotThere):
                by = self.somebody()
                self.world.operations.resolve(incident.id, by=by, reason="")
                self.deeds.append((self.world.at, "incident.resolve", by))

    def do_silence(self) -> None:
        by, at = self.somebody(), self.world.at
        made = self.world.operations.silence("s/*", by=by, reason="x", starts_at=at, ends_at=at + 8 * HOUR)
        self.deeds.append((at, "silence.add", by))
        self.silences[made.id] = min(made.ends_at, self.silences.get(made.id, made.ends_at))

    def do_expire(self) -> None:
        lasting = self.world.store.silences(lasting_at=self.world.at)
        if not lasting:
            return
        by, taken = self.somebody(), lasting[-1]
        ended = self.world.operations.expire(taken.id, by=by)
        if self.silences.get(taken.id) != ended.window.ends_at:
            self.silences[taken.id] = ended.window.ends_at
            self.deeds.append((self.world.at, "silence.expire", by))

    def do_rebaseline(self) -> None:
        by = self.somebody()
        self.world.operations.rebaseline(SUITE, by=by, reason="")
        self.deeds.append((self.world.at, "baseline.restart", by))
        self.restarts += 1
        self.lessons = 0

    def do_reload(self, name: str) -> None:
        self.world.rules = RELOADED[name]
        self.world.operations.retire()

    def somebody(self) -> str:
        self.people += 1
        return f"p{self.people}"

    def an_incident(self) -> Incident | None:
        return next(iter(self.world.store.incidents(open_only=True)), None)

    # what holds

    @invariant()
    def alerts_agree(self) -> None:
        check_alerts(self.world.store)

    @invariant()
    def every_deed_is_recorded_once(self) -> None:
        recorded = Counter((entry.at, entry.action, entry.actor) for entry in self.world.store.audit(limit=10_000))
        assert recorded == Counter(self.deeds)

    @invariant()
    def the_last_who_took_an_incident_has_it(self) -> None:
        for incident in self.world.store.incidents(open_only=True):
            assert incident.acked_by in (None, self.acks.get(incident.id))

    @invariant()
    def silences_are_those_that_were_made_and_not_ended(self) -> None:
        at = self.world.at
        lasting = {silence.id for silence in self.world.store.silences(lasting_at=at)}
        assert lasting == {name for name, end in self.silences.items() if end > at}
        assert {silence.id for silence in self.world.store.silences()} == set(self.silences)

    @invariant()
    def every_check_has_taught_the_rules_that_were_not_begun_anew_since(self) -> None:
        stored = self.world.store.newest_baseline(SUITE)
        assert (stored.version if stored else 0) == self.checks + self.restarts
        assert all(known.checks <= self.lessons for known in stored.memory.intents.values()) if stored else True

    @invariant()
    def no_state_goes_back(self) -> None:
        for state in self.world.store.alert_states():
            assert state.version >= self.versions.get(state.scope, 0)
            self.versions[state.scope] = state.version

    def all_ends_well(self) -> None:
        """Once answers are good and silences over nothing stays open, and whoever was told of it heard its end."""
        for _ in range(6):
            self.world.at += 30 * HOUR
            self.world.check(GOOD)
            self.world.operations.tick()
        self.world.deliver()
        check_alerts(self.world.store)
        assert self.world.store.incidents(open_only=True) == []
        assert {state.phase for state in self.world.store.alert_states()} <= {AlertPhase.OK}
        assert all(check.status is not CheckStatus.RUNNING for check in self.world.store.checks(limit=10_000))


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema and nothing in it."""
    path = tmp_path_factory.mktemp("operations") / "schema.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def blank_sqlite(schema: Path, tmp_path: Path) -> Callable[[], Store]:
    """Opens a new database each time."""
    numbers = iter(range(1_000_000))
    return lambda: Store.open(f"sqlite:///{shutil.copy(schema, tmp_path / f'{next(numbers)}.db')}")


@pytest.fixture
def blank_postgres(postgres_url: str) -> Iterator[Callable[[], Store]]:
    """Opens one database each time, emptied."""
    migrate.upgrade(postgres_url)
    emptying = Database(connect(parse(postgres_url)))

    def opened() -> Store:
        statements = "; ".join(f'DELETE FROM "{table.name}"' for table in reversed(tables.metadata.sorted_tables))
        emptying.write(lambda connection: connection.exec_driver_sql(statements))
        return Store.open(postgres_url)

    yield opened
    emptying.close()


def at_once(opened: Callable[[], Store], *, examples: int, steps: int) -> None:
    quiet = [Health.too_slow, Health.data_too_large, Health.function_scoped_fixture]
    wanted = settings(
        max_examples=examples,
        stateful_step_count=steps,
        suppress_health_check=quiet,
        database=None,
        phases=[Phase.generate],  # to look for a shorter order would take minutes
    )
    run_state_machine_as_test(type("AtOnceHere", (AtOnce,), {"opened": staticmethod(opened)}), settings=wanted)


def test_whoever_overtakes_whom_the_outcome_is_that_of_one_order(blank_sqlite: Callable[[], Store]) -> None:
    """L2. Acks, silences, checks, baselines, reloads, deliveries and retention in any order, each interruptible."""
    at_once(blank_sqlite, examples=15, steps=30)


def test_whoever_overtakes_whom_on_postgresql(blank_postgres: Callable[[], Store]) -> None:
    """L2. The same on the other database, for fewer orders."""
    at_once(blank_postgres, examples=3, steps=20)


@pytest.fixture(params=["blank_sqlite", "blank_postgres"], ids=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    opened: Store = request.getfixturevalue(request.param)()
    yield opened
    opened.close()


def test_threads_that_do_everything_at_once_lose_nothing(store: Store) -> None:
    """L2. Real concurrency: what was done is recorded once each, and counted once each."""
    world = World(store)
    world.check(BAD)
    done: Counter[str] = Counter()
    counted = threading.Lock()
    begin = threading.Barrier(5)

    def often(action: str, deed: Callable[[], object], times: int = 8) -> None:
        begin.wait()
        for _ in range(times):
            # Nothing was written then: too many were faster, or what it was about is over.
            with suppress(NotThere, StaleWrite):
                deed()
                with counted:
                    done[action] += 1

    def of_an_incident(act: Callable[[str], object]) -> None:
        incident = next(iter(store.incidents(open_only=True)), None)
        if incident is None:
            raise NotThere("none is open")
        act(incident.id)

    operations = world.operations
    work: list[tuple[str, Callable[[], object]]] = [
        ("check", lambda: world.check(BAD)),
        ("baseline.restart", lambda: operations.rebaseline(SUITE, by="a", reason="")),
        ("incident.ack", lambda: of_an_incident(lambda i: operations.acknowledge(i, by="b", lasting=HOUR))),
        ("incident.resolve", lambda: of_an_incident(lambda i: operations.resolve(i, by="c", reason=""))),
        (
            "silence.add",
            lambda: operations.silence("s/*", by="d", reason="x", starts_at=world.at, ends_at=world.at + HOUR),
        ),
    ]
    with ThreadPoolExecutor(len(work)) as threads:
        for running in [threads.submit(often, *deed) for deed in work]:
            running.result()

    check_alerts(store)
    recorded = Counter(entry.action for entry in store.audit(limit=10_000))
    assert recorded == Counter({action: count for action, count in done.items() if action != "check"})
    baseline = store.newest_baseline(SUITE)
    assert baseline is not None
    assert baseline.version == 1 + done["check"] + done["baseline.restart"]
    assert len(store.silences()) == done["silence.add"]


async def test_what_is_done_through_the_api_of_a_running_daemon_is_told_at_once(scene: Scene) -> None:
    """L2. One daemon, its checks going on: an incident is taken, the configuration read anew, and the incident ends."""
    scene.worsen()
    daemon = scene.start()
    await daemon.until(lambda: ("slack", "open") in scene.told(), "an open in Slack")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{daemon.ports[1]}", trust_env=False) as operator:
        (incident,) = (await operator.get("/api/v1/incidents", params={"open": "true"})).json()["incidents"]
        taken = await operator.post(f"/api/v1/incidents/{incident['id']}/ack", json={"by": "ann"})
        assert (taken.status_code, taken.json()["acked_by"]) == (200, "ann")
        await daemon.until(lambda: {("slack", "ack"), ("pagerduty", "ack")} <= set(scene.told()), "the ack")
        assert (await operator.post("/-/reload", json={"by": "ann"})).json() == {"reloaded": True}
        deeds = (await operator.get("/api/v1/audit")).json()["audit"]
    assert [(deed["actor"], deed["action"]) for deed in deeds] == [
        ("ann", "configuration.reload"),
        ("ann", "incident.ack"),
    ]
