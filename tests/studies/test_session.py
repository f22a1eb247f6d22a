from __future__ import annotations

import asyncio

import pytest

from monitor.check import CheckStatus, Conversation, Purpose
from monitor.conversing import Conversing
from monitor.errors import SimulatorInvalid
from monitor.intent import Intent
from monitor.redact import Redactor
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from monitor.store import Store
from monitor.studies.session import Party, Plan, Session, open_session, playable
from monitor.transcript import Outcome
from monitor.user.contract import UserSimulator, UserTurn
from tests.fixtures.checking import BAD, GOOD, sqlite_store
from tests.parties import Clock, EchoAssistant, LinesUser, intent

__all__ = ["sqlite_store"]
PLAN = Plan(suite="s", purpose=Purpose.COMPARE, seed=7, threshold=0.7, planned=4)
INTENTS = (intent(id="one"), intent(id="two"))


def party(answer: str = GOOD, user: UserSimulator | None = None, at_once: int = 2) -> Party:
    conversing = Conversing(
        user=user or LinesUser(["how long may I take?"]),
        assistant=EchoAssistant(answer=lambda _: answer),
        scoring=Scoring([Task()], {"task": 1.0}),
        redactor=Redactor(secrets={"token": "hunter2-hunter2"}),
        epoch="e1",
        now=Clock(),
    )
    return Party(assistant="a", conversing=conversing, at_once=at_once, conversation_timeout_seconds=30)


async def played(session: Session, times: int = 2) -> list[Conversation]:
    return await asyncio.gather(*(session.play(one, number) for one, number in playable(INTENTS, times)))


@pytest.mark.parametrize(("answer", "status"), [(GOOD, CheckStatus.HEALTHY), (BAD, CheckStatus.DEGRADED)])
async def test_a_session_is_kept_as_a_check_of_its_purpose(
    sqlite_store: Store, answer: str, status: CheckStatus
) -> None:
    async with open_session(party(answer), sqlite_store, PLAN, Clock()) as session:
        await played(session)
    kept = sqlite_store.check(session.record.id)
    assert kept is not None
    assert (kept.status, kept.purpose, kept.assistant) == (status, Purpose.COMPARE, "a")
    assert kept.summary is not None
    assert (kept.summary.valid, kept.summary.rounds) == (4, 2)
    assert len(sqlite_store.conversations(kept.id)) == 4


async def test_a_session_counts_in_no_metric_and_is_in_no_course(sqlite_store: Store) -> None:
    async with open_session(party(), sqlite_store, PLAN, Clock()) as session:
        await played(session)
    snapshot = sqlite_store.snapshot({}, now=Clock()())
    assert (dict(snapshot.checks), dict(snapshot.conversations)) == ({}, {})
    assert sqlite_store.history("s", limit=5, alerting_only=False) == []
    assert sqlite_store.checks("s") == [], "a study's healthy check is no last healthy check of the suite"


async def test_two_sessions_of_one_seed_play_the_same_users(sqlite_store: Store) -> None:
    seeds = []
    for _ in range(2):
        async with open_session(party(), sqlite_store, PLAN, Clock()) as session:
            await played(session)
        seeds.append(sorted((one.intent_id, one.round, one.seed) for one in session.conversations))
    assert seeds[0] == seeds[1]
    assert len({seed for *_, seed in seeds[0]}) == 4


class Unfair(LinesUser):
    """A user that fails the first `times` it is asked."""

    def __init__(self, times: int) -> None:
        super().__init__(["how long may I take?"])
        self.left = times

    async def first_turn(self, intent: Intent, *, seed: int, conversation: str) -> UserTurn:
        if self.left:
            self.left -= 1
            raise SimulatorInvalid(("too_short",))
        return await super().first_turn(intent, seed=seed, conversation=conversation)


async def test_what_failed_by_a_fault_of_ours_is_played_once_more(sqlite_store: Store) -> None:
    async with open_session(party(user=Unfair(1)), sqlite_store, PLAN, Clock()) as session:
        last = await session.play(INTENTS[0], 0)
    assert [one.transcript.outcome for one in session.conversations] == [Outcome.SIMULATOR_INVALID, Outcome.COMPLETED]
    assert (last.attempt, last.is_valid) == (2, True)
    assert session.summary().planned == 1


async def test_a_session_that_breaks_off_says_so(sqlite_store: Store) -> None:
    with pytest.raises(RuntimeError):
        async with open_session(party(), sqlite_store, PLAN, Clock()) as session:
            await session.play(INTENTS[0], 0)
            raise RuntimeError("no more")
    kept = sqlite_store.check(session.record.id)
    assert kept is not None
    assert (kept.status, kept.reason) == (CheckStatus.CANCELLED, "RuntimeError: no more")


async def test_a_session_without_valid_conversations_says_nothing(sqlite_store: Store) -> None:
    async with open_session(party(user=Unfair(1000)), sqlite_store, PLAN, Clock()) as session:
        await played(session)
    assert session.record.status is CheckStatus.INCONCLUSIVE
