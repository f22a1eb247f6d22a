"""The demo's story: well, broken, told, rolled back, over; and the proof that it really happened so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.bootstrap.application import Application
from monitor.check import CheckRecord, CheckStatus, Trigger
from monitor.demo.receivers import PAGERDUTY, SLACK, Received, Receivers
from monitor.demo.stage import Shop
from monitor.errors import MonitorError
from monitor.seeds import derive

CHANNELS = (SLACK, PAGERDUTY)
DELIVERY_SECONDS = 20.0
MOST_RECOVERY_CHECKS = 4
Say = Callable[[str], None]


class StoryBroken(MonitorError):
    """Raised when the demo did not go as it must: what it says is what was missing."""


@dataclass(slots=True)
class Story:
    """One run of the demo. `breaks_index` False leaves the fault out, and then the demo must fail."""

    application: Application
    shop: Shop
    receivers: Receivers
    seed: int
    say: Say
    breaks_index: bool = True
    checks: list[CheckRecord] = field(default_factory=list)

    async def play(self) -> None:
        """All of it. Raises StoryBroken."""
        self.say("\n1. A check while all is well")
        await self._check(CheckStatus.HEALTHY)
        self.say("\n2. The shop deploys a new index of its answers" + ("" if self.breaks_index else " (a good one)"))
        await self.shop.deploy("broken" if self.breaks_index else "good")
        await self._check(CheckStatus.DEGRADED)
        await self._told("open")
        self.say("\n3. The shop rolls back; checks go on until the alert is over")
        await self.shop.deploy("good")
        for _ in range(MOST_RECOVERY_CHECKS):
            await self._check(None)
            if not await self._is_open():
                break
        await self._told("resolve")
        self._require_one_incident()

    async def _check(self, wanted: CheckStatus | None) -> None:
        check = self.application.checks["demo"]
        done = await check.run(Trigger.ALERTING, seed=derive(self.seed, len(self.checks)))
        self.application.sender.wake()
        self.checks.append(done)
        assert done.summary is not None, "a check that ended has a summary"
        summary = done.summary
        mean = "not measured" if summary.mean is None else f"{summary.mean:.2f}"
        self.say(
            f"   {done.status}: average {mean} of {summary.valid} valid conversations "
            f"({summary.planned} planned), {sum(i.passed for i in summary.intents)} passed, "
            f"{done.duration_seconds:.0f} s"
        )
        if wanted is not None and done.status is not wanted:
            raise StoryBroken(f"the check should be {wanted}, and is {done.status}: {done.reason}")

    async def _is_open(self) -> bool:
        store = self.application.store
        return bool(await store.offload(store.incidents, open_only=True))

    async def _told(self, kind: str) -> None:
        """Wait until both receivers have it, and show what they got."""

        def is_enough(_: Sequence[Received]) -> bool:
            return self._channels_told(kind) == set(CHANNELS)

        if not await asyncio.to_thread(self.receivers.wait_until, is_enough, DELIVERY_SECONDS):
            missing = ", ".join(sorted(set(CHANNELS) - self._channels_told(kind)))
            raise StoryBroken(f"no {kind} was received by: {missing}")
        for received in self.receivers.received:
            if received.is_accepted and kind in _kinds(received):
                self.say(f"   {received.channel} received: {_in_short(received)}")

    def _channels_told(self, kind: str) -> set[str]:
        return {told["channel"] for told in self.receivers.deliveries() if told["kind"] == kind}

    def _require_one_incident(self) -> None:
        told = self.receivers.deliveries()
        wanted = [(channel, kind) for channel in CHANNELS for kind in ("open", "resolve")]
        got = [(t["channel"], t["kind"]) for channel in CHANNELS for t in told if t["channel"] == channel]
        if got != wanted or len({t["dedup_key"] for t in told}) != 1:
            raise StoryBroken(f"one open and one resolve with one key were expected on both channels, got {told}")

    def report(self) -> dict[str, Any]:
        """What happened, for machines; the notifications are read off the bodies that were received."""
        return {
            "checks": [
                {
                    "status": check.status.value,
                    "score": check.summary.mean if check.summary else None,
                    "conversations": check.summary.planned if check.summary else 0,
                    "seconds": check.duration_seconds,
                }
                for check in self.checks
            ],
            "notifications": self.receivers.deliveries(),
            "database": str(self.application.config.settings.state_dir / "monitor.sqlite3"),
            "metrics_url": f"{self.application.metrics_url}/metrics",
        }


def _kinds(received: Received) -> set[str]:
    """Words by which a body of one kind is told from the other."""
    text = json.dumps(received.body)
    pagerduty = {"trigger": "open", "resolve": "resolve"}.get(str(received.body.get("event_action")))
    return {pagerduty} if pagerduty else {kind for kind in ("open", "resolve") if f'"kind": "{kind}"' in text}


def _in_short(received: Received) -> str:
    body, payload = received.body, received.body.get("payload")
    if received.channel == PAGERDUTY:
        summary = f" {payload.get('summary')!r}" if isinstance(payload, Mapping) else ""
        return f"{body.get('event_action')}{summary}, key {body.get('dedup_key')}"
    return f"{received.path.rpartition('.')[2]} {body.get('text')!r}"
