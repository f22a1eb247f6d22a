"""A look at a monitor whose clocks, channels and checks the test moves; database and alerts are real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

from monitor.briefing import Surroundings
from monitor.check import CheckRecord, CheckStatus, Trigger
from monitor.machine import AlertPolicy, NotificationKind, Phase
from monitor.operations import Operations
from monitor.rules.monitor import Part
from monitor.rules.nodata import Patience
from monitor.rules.policy import RulesPolicy
from monitor.selfwatch import EngineLook, Overlaps, SelfWatch, Sources, Watching
from monitor.store import Closing, Store
from tests.parties import T0

HOUR = 3600.0
PATIENCE = Patience(limit_seconds=9.5 * HOUR, check_seconds=1.5 * HOUR)


@dataclass
class Looking:
    """A suite `s` that is due every four hours. `go` lets time pass by both clocks; `at` alone is the wall clock."""

    store: Store
    at: datetime = T0
    seconds: float = 1000.0
    slept: float = 0.0
    engine: EngineLook | None = None
    spool: tuple[int, int] = (0, 0)
    judge_calls: tuple[float, float] = (0.0, 0.0)
    problems: Sequence[str] = ()
    paused: str | None = None
    patience: Patience | None = PATIENCE
    moved: int = 0
    overlaps: Overlaps = field(default_factory=Overlaps)

    def __post_init__(self) -> None:
        self.operations = Operations(
            store=self.store,
            policy_of=lambda _: AlertPolicy.everywhere("slack"),
            rules_of=lambda _: RulesPolicy(),
            surroundings=Surroundings(app="app", environment="test", base_url=None),
            now=lambda: self.at,
        )
        self.watch = self.fresh()

    def fresh(self) -> SelfWatch:
        """As after a restart."""
        self.watch = SelfWatch(
            store=self.store,
            sources=Sources(
                engine=lambda: self.engine,
                spool=lambda: self.spool,
                judge_calls=lambda: self.judge_calls,
                problems=lambda: self.problems,
            ),
            watching=self._watching,
            on_moved=self._on_moved,
            overlaps=self.overlaps,
            clock=lambda: self.seconds,
            now=lambda: self.at,
            every_seconds=HOUR,
            boot_clock=lambda: self.seconds + self.slept,
        )
        return self.watch

    def _watching(self) -> Watching:
        return Watching(
            suites={"s": self.patience},
            parts=frozenset(Part),
            canary_seconds=86_400.0,
            paused=lambda _: self.paused,
            judge=self.operations.judge,
        )

    def _on_moved(self) -> None:
        self.moved += 1

    def go(self, seconds: float) -> None:
        """Time passes."""
        self.seconds += seconds
        self.at += timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        """The machine is suspended: the monotonic clock stands still, the one since the boot goes on."""
        self.slept += seconds
        self.at += timedelta(seconds=seconds)

    async def look(self, *, after: float = 0.0) -> None:
        """Look once, some time later."""
        self.go(after)
        await self.watch.look()

    def check(self, status: CheckStatus = CheckStatus.HEALTHY, *, is_noted: bool = True) -> CheckRecord:
        """A check of the suite ends now; `is_noted`: this daemon ran it."""
        at = self.at
        claimed = self.store.claim_slot("s", at, owner="me", now=at, lease_seconds=60, second_attempt_grace_seconds=0)
        check = CheckRecord(
            id=uuid4().hex,
            suite="s",
            trigger=Trigger.SCHEDULE,
            status=CheckStatus.RUNNING,
            epoch="e",
            seed=1,
            started_at=at,
            planned=1,
            slot_at=at,
        )
        self.store.open_check(check, claimed)
        ended = replace(check, status=status, finished_at=at)
        self.store.close_check(Closing(check=ended, slot=claimed))
        if is_noted:
            self.watch.note_check(ended)
        return ended

    @property
    def open(self) -> list[str]:
        """The scopes whose incidents are open."""
        return [state.scope for state in self.store.alert_states() if state.phase is Phase.FIRING]

    @property
    def told(self) -> list[tuple[str, NotificationKind]]:
        """What was put into the outbox."""
        return [(message.scope, message.kind) for message in self.store.notifications()]
