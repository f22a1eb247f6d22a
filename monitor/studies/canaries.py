"""Canaries: conversations known to be good or bad, scored as any other, to see whether scores can be trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from monitor.canary import CanaryRun, CanaryScore, measured
from monitor.intent import Intent
from monitor.scorers.contract import Case
from monitor.store import Store
from monitor.studies.measure import CaseScoring
from monitor.studies.messages import read_messages
from monitor.studies.pace import in_order

SAID_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When every canary was said, a Monday: dates like `tomorrow` mean a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One conversation with its label. `needs_judge`: no other scorer can tell. `fingerprint` is over all of it."""

    id: str
    kind: str
    is_good: bool
    needs_judge: bool
    case: Case
    fingerprint: str


def canary_case(intent: Intent, messages: Sequence[dict[str, object]]) -> Case:
    """The case of OpenAI-style messages, with the `finish_reason` of those that have one. Raises Unreadable."""
    foreign = read_messages(list(messages), at=SAID_AT)
    reasons = [messages[index].get("finish_reason") for index in foreign.messages]
    turns = tuple(
        replace(turn, finish_reason=reason) if isinstance(reason, str) else turn
        for turn, reason in zip(foreign.transcript.turns, reasons, strict=True)
    )
    return Case(intent=intent, transcript=replace(foreign.transcript, turns=turns))


def judgeable(canaries: Sequence[Canary], *, has_judge: bool) -> tuple[Canary, ...]:
    """Those that can be told apart with a judge, or without one."""
    return tuple(canary for canary in canaries if has_judge or not canary.needs_judge)


def fingerprint_of(canaries: Sequence[Canary]) -> str:
    """12 hex digits over a set of canaries, whatever their order."""
    return hashlib.sha256(" ".join(sorted(canary.fingerprint for canary in canaries)).encode()).hexdigest()[:12]


async def score_canaries(
    canaries: Sequence[Canary],
    scoring: CaseScoring,
    *,
    at_once: int = 1,
    before_each: Callable[[], Awaitable[None]] | None = None,
) -> list[CanaryScore]:
    """Each canary's score, in their order. Where a judge or a model gives no answer there is none."""

    async def one(canary: Canary) -> CanaryScore:
        if before_each is not None:
            await before_each()
        score = await scoring.score(canary.case)
        return CanaryScore(
            id=canary.id,
            kind=canary.kind,
            is_good=canary.is_good,
            value=score.value,
            passed=score.passed,
            reason=score.reason,
        )

    return [result async for result in in_order(canaries, one, at_once=at_once)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStudy:
    """Scores `canaries`, those that this scoring can judge, and stores what that says. `now` tells UTC; inside of
    `user_in_use` the user model can be asked.
    """

    store: Store
    scoring: CaseScoring
    epoch: str
    canaries: Sequence[Canary]
    now: Callable[[], datetime]
    user_in_use: Callable[[], AbstractAsyncContextManager[None]] = nullcontext

    async def run(self, *, at_once: int = 1, before_each: Callable[[], Awaitable[None]] | None = None) -> CanaryRun:
        """One run, held against the first one of this epoch without an alarm. Raises StoreFailure, and EngineFailure
        when there is no user model to ask.
        """
        async with self.user_in_use():
            results = await score_canaries(self.canaries, self.scoring, at_once=at_once, before_each=before_each)
        fingerprint = fingerprint_of(self.canaries)
        baseline = await self.store.offload(self.store.canary_baseline, self.epoch, fingerprint)
        run = measured(
            results, run_id=uuid4().hex, at=self.now(), epoch=self.epoch, fingerprint=fingerprint, baseline=baseline
        )
        await self.store.offload(self.store.save_canary_run, run)
        return run
