"""Conversations played for a purpose other than watching: kept as a check of their own, which alerts nobody, feeds no
baseline and is no part of its suite's course.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from monitor.assistants.contract import ConversationContext
from monitor.check import CheckRecord, CheckStatus, CheckSummary, Conversation, Purpose, Trigger, summarize
from monitor.conversing import Conversing
from monitor.intent import Intent
from monitor.seeds import derive
from monitor.store import Closing, Store
from monitor.transcript import Fault, Outcome

ATTEMPTS = 2
VALID_SHARE = 0.8
"""Below this share of valid conversations a study says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """An assistant, with all that is needed to have conversations with it and to score them."""

    assistant: str
    conversing: Conversing
    at_once: int
    conversation_timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a session is for. `seed`: of the run, from which those of its conversations derive; `threshold`: what an
    average is called degraded below.
    """

    suite: str
    purpose: Purpose
    seed: int
    threshold: float
    planned: int


class Session:
    """Plays conversations with one assistant, at most `party.at_once` at a time, and keeps each as it ends."""

    def __init__(self, record: CheckRecord, party: Party, store: Store) -> None:
        self.record = record
        self._party = party
        self._store = store
        self._places = asyncio.Semaphore(party.at_once)
        self._played: list[tuple[Intent, Conversation]] = []

    @property
    def conversations(self) -> tuple[Conversation, ...]:
        """Those that ended so far, first attempts that were our fault included."""
        return tuple(conversation for _, conversation in self._played)

    async def play(self, intent: Intent, number: int, *, seed: int | None = None) -> Conversation:
        """`intent` once, as round `number`; once more where that failed by a fault of ours. Raises StoreFailure.

        Two sessions of the same run seed play the same users; `seed` is taken in place of the run's.
        """
        run = self.record.seed if seed is None else seed
        async with self._places:
            for attempt in range(1, ATTEMPTS + 1):
                drawn = derive(run, intent.id, intent.persona, number, attempt)
                conversation = await self._converse(intent, number, attempt, drawn)
                outcome = conversation.transcript.outcome
                if outcome.fault is not Fault.OURS or outcome in (Outcome.CANCELLED, Outcome.RATE_LIMITED):
                    break
        return conversation

    async def _converse(self, intent: Intent, number: int, attempt: int, seed: int) -> Conversation:
        context = ConversationContext(
            conversation_id=uuid4().hex,
            check_id=self.record.id,
            suite=self.record.suite,
            intent_id=intent.id,
            deadline=asyncio.get_running_loop().time() + self._party.conversation_timeout_seconds,
        )
        conversation = await self._party.conversing.play(intent, context, seed=seed, number=number, attempt=attempt)
        await self._store.offload(self._store.save_conversation, conversation, None)
        self._played.append((intent, conversation))
        return conversation

    def summary(self) -> CheckSummary:
        """The numbers over what was played so far; means over the rounds in which every intent was played."""
        intents = list({intent.id: intent for intent, _ in self._played}.values())
        rounds = {intent.id: {c.round for i, c in self._played if i.id == intent.id} for intent in intents}
        common = min((len(numbers) for numbers in rounds.values()), default=0)
        return summarize(self.conversations, intents, common)


@asynccontextmanager
async def open_session(party: Party, store: Store, plan: Plan, now: Callable[[], datetime]) -> AsyncIterator[Session]:
    """A session that is closed with its numbers; cancelled or broken off, it says so. Raises StoreFailure."""
    record = CheckRecord(
        id=uuid4().hex,
        suite=plan.suite,
        trigger=Trigger.MANUAL,
        status=CheckStatus.RUNNING,
        epoch=party.conversing.epoch,
        seed=plan.seed,
        started_at=now(),
        planned=plan.planned,
        purpose=plan.purpose,
        assistant=party.assistant,
    )
    await store.offload(store.open_check, record, None)
    session = Session(record, party, store)
    try:
        yield session
    except BaseException as exc:
        reason = "stopped" if isinstance(exc, asyncio.CancelledError) else f"{type(exc).__name__}: {exc}"
        await asyncio.shield(_close(session, store, now(), CheckStatus.CANCELLED, reason))
        raise
    summary = session.summary()
    await _close(session, store, now(), *_status(summary, plan))


async def _close(session: Session, store: Store, at: datetime, status: CheckStatus, reason: str) -> None:
    session.record = replace(session.record, status=status, reason=reason, finished_at=at, summary=session.summary())
    await store.offload(store.close_check, Closing(check=session.record))


def _status(summary: CheckSummary, plan: Plan) -> tuple[CheckStatus, str]:
    if summary.mean is None or summary.valid_share < VALID_SHARE:
        return CheckStatus.INCONCLUSIVE, f"{summary.valid} of {summary.planned} conversations are valid"
    status = CheckStatus.DEGRADED if summary.mean < plan.threshold else CheckStatus.HEALTHY
    return status, f"average {summary.mean:.2f}"


def playable(intents: Sequence[Intent], times: int) -> list[tuple[Intent, int]]:
    """Each intent in each of so many rounds, round by round."""
    return [(intent, number) for number in range(times) for intent in intents]
