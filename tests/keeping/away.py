"""Checks whose database can be cut off, a spool in a folder, and channels that remember what they were told."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monitor.assistants.contract import Reply
from monitor.check import CheckRecord, Slot, Trigger
from monitor.errors import StoreUnavailable
from monitor.healthcheck import HealthCheck
from monitor.keeping import Announcer, Keeper
from monitor.store import Spool, Store
from tests.fixtures.checking import Checking
from tests.fixtures.outbox import ScriptedNotifier
from tests.parties import EchoAssistant


class CutStore(Store):
    """A real store that cannot be reached while `is_away`; `left` calls still succeed then."""

    is_away = False

    async def offload(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.is_away:
            raise StoreUnavailable("away")
        return await super().offload(call, *args, **kwargs)


@dataclass
class CuttingAssistant(EchoAssistant):
    """Cuts the database off as soon as it is asked something."""

    store: CutStore | None = None

    async def send(self, text: str) -> Reply:
        if self.store:
            self.store.is_away = True
        return await super().send(text)


@dataclass
class Away:
    """One suite of `Checking` and its keeper. `restart` is what a killed process leaves to the next one."""

    folder: Path
    checking: Checking
    slack: ScriptedNotifier = field(default_factory=lambda: ScriptedNotifier("slack", supports_info=True))
    pagerduty: ScriptedNotifier = field(default_factory=lambda: ScriptedNotifier("pagerduty", supports_info=False))
    seconds: float = 0.0
    replayed: int = 0
    spool: Spool = field(init=False)
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        self.store.__class__ = CutStore
        self.assistant = CuttingAssistant(answer=self.checking.assistant.answer, store=None)
        self.checking.assistant = self.assistant
        self.restart()

    @property
    def store(self) -> CutStore:
        return self.checking.store  # type: ignore[return-value]

    def restart(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
        self.spool = Spool(self.folder / "spool")
        self.spool.open()
        announcer = Announcer(now=self.checking.clock, clock=lambda: self.seconds, pause=lambda attempts: 10.0)
        self.keeper = Keeper(store=self.store, spool=self.spool, announcer=announcer)
        self.keeper.serve(
            lambda: {"s": self.check()}, lambda: {"slack": self.slack, "pagerduty": self.pagerduty}, self._count
        )

    def check(self) -> HealthCheck:
        return replace(self.checking.check(rounds=1), keeper=self.keeper)

    async def run(self, slot: Slot | None = None) -> CheckRecord:
        """One check with the database there from its start to its end."""
        self.store.is_away, self.assistant.store = False, None
        return await self._run(slot)

    async def run_cut_off(self, slot: Slot | None = None) -> CheckRecord:
        """One check during which the database goes away."""
        self.assistant.store = self.store
        return await self._run(slot)

    def come_back(self) -> None:
        self.store.is_away = False

    def _run(self, slot: Slot | None) -> Coroutine[object, object, CheckRecord]:
        return self.check().run(Trigger.SCHEDULE if slot else Trigger.ALERTING, seed=1, slot=slot)

    def _count(self) -> None:
        self.replayed += 1
