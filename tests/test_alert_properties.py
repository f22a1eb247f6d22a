"""What holds of the alert machine whatever happens: random events, windows, policies and time.

Two scopes live through the same events under two sets of windows, each with an outbox of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from monitor.alert import steps
from monitor.machine import (
    Ack,
    AlertPolicy,
    AlertState,
    CloseIncident,
    Delivered,
    Effect,
    Escalation,
    Event,
    MaintenanceEnded,
    NotificationKind,
    Notify,
    OpenIncident,
    Phase,
    Resolved,
    RuleRemoved,
    Silenced,
    Tick,
    UpdateIncident,
    Window,
)
from monitor.store import Store
from monitor.store.migrate import upgrade
from monitor.store.rows import value_from, values_of
from monitor.store.tables import alert_state
from monitor.verdict import Finding, Severity, Verdict

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SCOPE = "s/overall"
RULES = ("quality", "regression", "availability")
CHANNELS = ("slack", "pagerduty", "mail")
OPEN, UPDATE, REMINDER, RESOLVE = (NotificationKind(kind) for kind in ("open", "update", "reminder", "resolve"))
HOURS = st.integers(0, 30).map(lambda hours: timedelta(hours=hours))
LOUD = AlertPolicy.everywhere(*CHANNELS)
SQLITE = SQLiteDialect()
COLUMNS = {column.name: column.type.dialect_impl(SQLITE) for column in alert_state.columns}
TO_SQLITE = {name: kind.bind_processor(SQLITE) for name, kind in COLUMNS.items()}
FROM_SQLITE = {name: kind.result_processor(SQLITE, None) for name, kind in COLUMNS.items()}

verdicts = st.builds(
    Verdict,
    scope=st.just(SCOPE),
    rule=st.sampled_from(RULES),
    finding=st.sampled_from([Finding.BREACH, Finding.RECOVERED] * 2 + [Finding.HOLD, Finding.UNKNOWN]),
    severity=st.sampled_from(Severity),
    reason=st.just("because"),
)
ends = [Resolved(by="ann", reason=""), RuleRemoved(), *(RuleRemoved(rule=rule) for rule in RULES)]
nudges = st.sampled_from([Tick(), Silenced(), MaintenanceEnded()] * 3 + ends)
some_channels = st.lists(st.sampled_from(CHANNELS), unique=True).map(tuple)
windows = st.lists(
    st.builds(
        lambda start, length: Window(name=f"w{start}", starts_at=T0 + start, ends_at=T0 + start + length),
        st.integers(0, 100).map(lambda hours: timedelta(hours=hours)),
        HOURS,
    ),
    max_size=4,
).map(tuple)
policies = st.builds(
    AlertPolicy,
    routes=st.fixed_dictionaries(dict.fromkeys(Severity, some_channels)),
    inhibited_by=st.sampled_from([None, None, "i-suite"]),
    escalations=st.lists(st.builds(Escalation, after=HOURS, channels=some_channels), min_size=1, max_size=2).map(tuple),
    remind_every=st.integers(1, 9).map(lambda hours: timedelta(hours=hours)),
    most_reminders=st.integers(0, 3),
    flapping_opens=st.integers(1, 4),
    flapping_calm=st.integers(1, 3),
)


@dataclass
class Life:
    """One scope under one set of windows, and what its channels were told."""

    windows: tuple[Window, ...] = ()
    state: AlertState = field(default_factory=lambda: AlertState(scope=SCOPE))
    incidents: list[Effect] = field(default_factory=list)
    told: dict[tuple[str, str], list[NotificationKind]] = field(default_factory=lambda: defaultdict(list))
    outbox: list[Notify] = field(default_factory=list)

    def is_suppressed(self, now: datetime) -> bool:
        return any(window.starts_at <= now < window.ends_at for window in self.windows)

    def live(self, events: tuple[Event, ...], policy: AlertPolicy, now: datetime, new_id: str) -> list[Notify]:
        """Take the events; the messages that this put into the outbox."""
        mine = replace(policy, windows=self.windows)
        before = self.state
        self.state, effects = steps(before, events, mine, now, new_id)
        assert self.state.version == before.version + (self.state != before)
        assert self.state != before or not effects
        notes = [effect for effect in effects if isinstance(effect, Notify)]
        self.incidents += [effect for effect in effects if not isinstance(effect, Notify)]
        self.outbox += notes
        for note in notes:
            self.told[note.incident_id, note.channel].append(note.kind)
        return notes

    def deliver(self, policy: AlertPolicy, now: datetime, *, last: bool = False) -> None:
        """Send one message; the end of an incident is noted."""
        if self.outbox:
            note = self.outbox.pop(-1 if last else 0)
            if note.kind is RESOLVE:
                event = Delivered(channel=note.channel, incident_id=note.incident_id)
                assert not self.live((event,), policy, now, "unused")


class Alerting(RuleBasedStateMachine):
    """Every rule happens to both lives; only their windows differ."""

    def __init__(self) -> None:
        super().__init__()
        self.now = T0
        self.number = 0
        self.policy = LOUD
        self.lives = (Life(), Life())
        self.opened_at: list[datetime] = []

    @initialize(policy=policies, one=windows, other=windows)
    def start(self, policy: AlertPolicy, one: tuple[Window, ...], other: tuple[Window, ...]) -> None:
        self.policy = policy
        self.lives[0].windows, self.lives[1].windows = one, other

    def happen(self, *events: Event) -> None:
        self.number += 1
        for life in self.lives:
            before = life.state
            notes = life.live(events, self.policy, self.now, f"i{self.number}")
            kinds = {note.kind for note in notes}
            if life.is_suppressed(self.now):
                assert not kinds & {OPEN, UPDATE, REMINDER}
            if before.acked_until and self.now < before.acked_until:
                assert REMINDER not in kinds
        if self.lives[0].state.incident_id == f"i{self.number}":
            self.opened_at.append(self.now)

    @rule(events=st.lists(verdicts, min_size=1, max_size=3, unique_by=lambda verdict: verdict.rule).map(tuple))
    def hear(self, events: tuple[Verdict, ...]) -> None:
        before = [life.state for life in self.lives]
        self.happen(*events)
        if all(event.finding in (Finding.UNKNOWN, Finding.HOLD) for event in events):
            assert [life.state for life in self.lives] == before
        for life, was in zip(self.lives, before, strict=True):
            if was.phase is Phase.FIRING and any(event.finding is Finding.BREACH for event in events):
                assert life.state.incident_id == was.incident_id
            if was.is_flapping and life.state.phase is not Phase.FIRING:
                assert was.calm + 1 >= self.policy.flapping_calm

    @rule(finding=st.sampled_from([Finding.BREACH, Finding.RECOVERED]), name=st.sampled_from(RULES))
    def hear_one(self, finding: Finding, name: str) -> None:
        severity = Severity.CRITICAL
        self.happen(Verdict(scope=SCOPE, rule=name, finding=finding, severity=severity, reason="because"))

    @rule(event=nudges)
    def nudge(self, event: Event) -> None:
        self.happen(event)

    @rule(length=HOURS)
    def ack(self, length: timedelta) -> None:
        self.happen(Ack(by="ann", until=self.now + length))

    @rule(length=HOURS)
    def pass_time(self, length: timedelta) -> None:
        self.now += length
        self.happen(Tick())
        for life in self.lives:
            if life.state.breaches and life.state.severity and not life.is_suppressed(self.now):
                assert {*self.policy.channels(life.state.severity)} <= {*life.state.channels}
                assert life.state.told_severity in (life.state.severity, None)

    @rule(policy=policies)
    def reload(self, policy: AlertPolicy) -> None:
        self.policy = replace(policy, flapping_opens=self.policy.flapping_opens)

    @rule(one=windows, other=windows)
    def move_windows(self, one: tuple[Window, ...], other: tuple[Window, ...]) -> None:
        self.lives[0].windows, self.lives[1].windows = one, other

    @rule(last=st.booleans())
    def deliver(self, last: bool) -> None:
        for life in self.lives:
            life.deliver(self.policy, self.now, last=last)

    @invariant()
    def windows_change_no_incident(self) -> None:
        assert self.lives[0].incidents == self.lives[1].incidents

    @invariant()
    def one_incident_is_open_at_most(self) -> None:
        for life in self.lives:
            is_open, loudness = None, 0
            for effect in life.incidents:
                if isinstance(effect, OpenIncident):
                    assert is_open is None
                    is_open = effect.incident_id
                    loudness = effect.severity.rank
                elif isinstance(effect, CloseIncident):
                    assert effect.incident_id == is_open
                    is_open = None
                elif isinstance(effect, UpdateIncident):
                    assert effect.incident_id == is_open
                    assert effect.severity.rank >= loudness
                    loudness = effect.severity.rank
            assert (life.state.incident_id if life.state.phase is Phase.FIRING else None) == is_open

    @invariant()
    def a_channel_hears_one_beginning_and_its_end(self) -> None:
        for life in self.lives:
            open_id = life.state.incident_id if life.state.phase is Phase.FIRING else None
            for (incident_id, _), kinds in life.told.items():
                assert (kinds[0], kinds.count(OPEN)) == (OPEN, 1)
                assert kinds.count(UPDATE) < len(Severity)
                if incident_id == open_id:
                    assert RESOLVE not in kinds
                else:
                    assert (kinds[-1], kinds.count(RESOLVE)) == (RESOLVE, 1)

    @invariant()
    def many_openings_are_flapping(self) -> None:
        policy, state = self.policy, self.lives[0].state
        if self.opened_at and state.since == self.opened_at[-1] and state.phase is Phase.FIRING:
            late = [at for at in self.opened_at if state.since - at < policy.flapping_within]
            assert state.is_flapping or len(late) < policy.flapping_opens

    @invariant()
    def the_state_says_who_was_told(self) -> None:
        for life in self.lives:
            state = life.state
            if state.phase is Phase.FIRING:
                assert set(state.channels) == {c for i, c in life.told if i == state.incident_id}
                assert state.breaches or state.is_flapping
            assert bool(state.unresolved) == (state.phase is Phase.RESOLVING)

    @invariant()
    def what_is_stored_is_what_was_there(self) -> None:
        for life in self.lives:
            assert reloaded(life.state) == life.state

    @invariant()
    def constant_bad_ends_firing(self) -> None:
        bad = Verdict(scope=SCOPE, rule="quality", finding=Finding.BREACH, severity=Severity.ERROR, reason="bad")
        for life in self.lives:
            assert steps(life.state, (bad,), LOUD, self.now, "new")[0].phase is Phase.FIRING

    def teardown(self) -> None:
        """Constant good ends OK, with every channel told of the end of what it was told."""
        for _ in range(self.policy.flapping_calm + 1):
            self.happen(*(_good(name) for name in RULES))
        for life in self.lives:
            while life.outbox:
                life.deliver(self.policy, self.now)
            assert life.state.phase is Phase.OK
            assert all(kinds[-1] is RESOLVE for kinds in life.told.values())


def _good(name: str) -> Verdict:
    return Verdict(scope=SCOPE, rule=name, finding=Finding.RECOVERED, severity=Severity.CRITICAL, reason="good again")


def reloaded(state: AlertState) -> AlertState:
    """The state through the columns of its table and back."""
    row: dict[str, Any] = {}
    for name, value in values_of(state).items():
        write, read = TO_SQLITE[name], FROM_SQLITE[name]
        stored = write(value) if write else value
        row[name] = read(stored) if read else stored
    return value_from(AlertState, row)


TestAlerting = Alerting.TestCase
TestAlerting.settings = settings(max_examples=200, stateful_step_count=40)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path: Path = tmp_path_factory.mktemp("alerts") / "monitor.db"
    upgrade(f"sqlite:///{path}")
    opened = Store.open(f"sqlite:///{path}")
    yield opened
    opened.close()


events = st.one_of(verdicts, nudges, st.builds(Ack, by=st.just("ann"), until=HOURS.map(lambda h: T0 + h)))


@settings(max_examples=20)
@given(history=st.lists(st.tuples(HOURS, events), min_size=5, max_size=15), policy=policies)
def test_a_database_between_the_steps_changes_nothing(
    store: Store, history: list[tuple[timedelta, Event]], policy: AlertPolicy
) -> None:
    scope, now = f"scope-{len(store.alert_states())}", T0
    kept = AlertState(scope=scope)
    for position, (length, event) in enumerate(history):
        now += length
        kept, effects = steps(kept, (event,), policy, now, f"i{position}")
        before = store.alert_state(scope)
        after, same_effects = steps(before, (event,), policy, now, f"i{position}")
        if after != before:
            store.save_alert_state(after)
        assert (store.alert_state(scope), same_effects) == (kept, effects)
