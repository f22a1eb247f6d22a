"""The main path with scripted parties and a real database: what is stored, decided and published."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.assistants.contract import ConversationContext
from monitor.check import CheckRecord, CheckStatus, Trigger
from monitor.closing import Surroundings
from monitor.errors import AssistantFailure, AssistantRateLimited, JudgeFailure, SimulatorInvalid, StaleWrite
from monitor.healthcheck import Decision, HealthCheck, Progress
from monitor.incident import AlertPolicy, NotificationKind, Phase
from monitor.intent import Intent, Suite
from monitor.redact import Redactor
from monitor.rules import MeanPolicy
from monitor.score import ComponentScore
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from monitor.store import Store, migrate
from monitor.transcript import Outcome, Transcript
from monitor.user.contract import UserSimulator
from tests.parties import Clock, EchoAssistant, LinesUser, intent

GOOD, BAD = "within 30 days", "who knows"
BOTH = AlertPolicy(channels=("slack", "pagerduty"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'monitor.sqlite3'}"
    migrate.upgrade(url)
    opened = Store.open(url)
    yield opened
    opened.close()


class World:
    """A health check over two intents, an assistant whose answer can be changed, and what was published."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = Clock()
        self.published = 0
        self.assistant = EchoAssistant(answer=lambda _: GOOD)

    def answers(self, answer: str | Exception) -> None:
        self.assistant.answer = lambda _: answer

    def check(self, user: UserSimulator | None = None, rounds: int = 2, at_once: int = 8) -> HealthCheck:
        async def publish() -> None:
            self.published += 1

        intents = (intent(id="one"), intent(id="two", weight=3.0))
        return HealthCheck(
            suite=Suite(name="s", assistant="a", intents=intents, rounds=rounds, timeout_seconds=60, threshold=0.7),
            user=user or LinesUser(["how long may I take?"]),
            assistant=self.assistant,
            scoring=Scoring([Task()], {"task": 1.0}),
            store=self.store,
            decision=Decision(
                rule=MeanPolicy(threshold=0.7),
                policy=BOTH,
                surroundings=Surroundings(app="app", environment="test", base_url="http://127.0.0.1:9"),
            ),
            redactor=Redactor(secrets={"token": "hunter2-hunter2"}),
            epoch="e1",
            conversations_at_once=at_once,
            conversation_timeout_seconds=30,
            now=self.clock,
            publish=publish,
        )

    async def run(self, check: HealthCheck | None = None, trigger: Trigger = Trigger.ALERTING) -> CheckRecord:
        return await (check or self.check()).run(trigger, seed=1)


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


async def test_every_conversation_is_stored_and_summed_up(world: World) -> None:
    done = await world.run()
    stored = world.store.conversations(done.id)
    assert sorted((c.intent_id, c.round, c.attempt) for c in stored) == [
        ("one", 0, 1),
        ("one", 1, 1),
        ("two", 0, 1),
        ("two", 1, 1),
    ]
    assert done == world.store.check(done.id)
    assert done.summary is not None
    assert (done.status, done.summary.mean, done.summary.success_rate) == (CheckStatus.HEALTHY, 1.0, 1.0)
    assert world.published == 1


async def test_means_are_weighted_over_intents_and_count_errors_as_zero(world: World) -> None:
    answers: list[str | Exception] = [AssistantFailure("empty"), GOOD]
    failing = iter(answers)
    world.assistant.answer = lambda _: next(failing)
    summary = (await world.run(world.check(rounds=1))).summary
    assert summary is not None
    assert summary.mean_scored == 1.0
    assert summary.mean in (0.25, 0.75)
    assert (summary.error_count, summary.valid, summary.success_rate) == (1, 2, 0.5)


async def test_a_fall_opens_one_incident_and_recovery_closes_it(world: World) -> None:
    for answer in (GOOD, BAD, BAD, GOOD, GOOD):
        world.answers(answer)
        await world.run()
    (incident,) = world.store.incidents()
    rows = [(row.channel, row.kind, row.dedup_key) for row in world.store.notifications()]
    assert incident.closed_at is not None
    assert rows == [
        (channel, kind, "app:test:s/overall")
        for kind in (NotificationKind.OPEN, NotificationKind.RESOLVE)
        for channel in ("slack", "pagerduty")
    ]
    assert world.store.alert_state("s/overall").phase is Phase.RESOLVING


async def test_an_open_carries_its_evidence(world: World) -> None:
    await world.run()
    world.answers(BAD)
    done = await world.run()
    alert = world.store.notifications()[0].alert
    assert (alert.average, alert.threshold, alert.check_id, alert.epoch) == (0.0, 0.7, done.id, "e1")
    assert [(worst.mean, worst.before) for worst in alert.worst_intents] == [(0.0, 1.0), (0.0, 1.0)]
    assert {worst.intent_id for worst in alert.worst_conversations} == {"one", "two"}
    assert "not in any reply: '30 days'" in alert.worst_conversations[0].summary


async def test_a_check_by_hand_measures_and_alerts_nobody(world: World) -> None:
    world.answers(BAD)
    done = await world.run(trigger=Trigger.MANUAL)
    assert done.status is CheckStatus.DEGRADED
    assert world.store.incidents() == []
    world.answers(GOOD)
    await world.run()
    await world.run(trigger=Trigger.MANUAL)
    assert [c.trigger for c in world.store.checks("s", alerting_only=True)] == [Trigger.ALERTING]


async def test_our_own_failures_are_retried_once_with_another_seed(world: World) -> None:
    user = LinesUser([SimulatorInvalid(("too_short",))])
    done = await world.run(world.check(user))
    stored = world.store.conversations(done.id)
    assert len(stored) == 8
    assert len({c.seed for c in stored}) == 8
    assert done.status is CheckStatus.INCONCLUSIVE
    assert done.summary is not None
    assert (done.summary.valid, done.summary.mean) == (0, None)
    assert done.summary.outcomes == {Outcome.SIMULATOR_INVALID: 4}


async def test_rate_limited_conversations_are_not_tried_again_and_say_nothing(world: World) -> None:
    world.answers(AssistantRateLimited("HTTP 429"))
    done = await world.run()
    assert len(world.store.conversations(done.id)) == 4
    assert done.status is CheckStatus.INCONCLUSIVE


async def test_an_inconclusive_check_leaves_the_alert_as_it_is(world: World) -> None:
    world.answers(BAD)
    await world.run()
    before = world.store.alert_state("s/overall")
    await world.run(world.check(LinesUser([SimulatorInvalid(("empty",))])))
    assert world.store.alert_state("s/overall") == before
    assert before.phase is Phase.FIRING


class BrokenJudge:
    name = "task"

    async def score(self, intent: Intent, transcript: Transcript) -> ComponentScore:
        raise JudgeFailure(f"no answer about {intent.id} after {len(transcript.turns)} turns")


async def test_a_judge_that_fails_is_never_a_number(world: World) -> None:
    check = replace(world.check(), scoring=Scoring([BrokenJudge()], {"task": 1.0}))
    done = await world.run(check)
    assert done.summary is not None
    assert done.summary.outcomes == {Outcome.JUDGE_ERROR: 4}
    assert all(c.score.value is None for c in world.store.conversations(done.id))


async def test_secrets_are_redacted_before_they_are_stored(world: World) -> None:
    world.answers("my token is hunter2-hunter2, within 30 days")
    done = await world.run()
    (turn, *_) = world.store.conversations(done.id)[0].transcript.assistant_turns
    assert turn.text == "my token is [redacted:token], within 30 days"


async def test_progress_counts_to_the_end(world: World) -> None:
    steps: list[Progress] = []
    await world.check().run(Trigger.MANUAL, seed=1, on_progress=steps.append)
    assert [(step.done, step.planned) for step in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]


class Stuck(EchoAssistant):
    def __init__(self) -> None:
        super().__init__()
        self.is_asked = asyncio.Event()

    async def send(self, text: str) -> object:  # type: ignore[override]
        self.is_asked.set()
        await asyncio.Event().wait()
        return text


async def test_a_check_that_is_stopped_is_stored_as_cancelled(world: World) -> None:
    world.assistant = stuck = Stuck()
    task = asyncio.create_task(world.run())
    await stuck.is_asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [c.status for c in world.store.checks("s")] == [CheckStatus.CANCELLED]


async def test_an_owner_that_lost_its_slot_writes_nothing(world: World) -> None:
    now = world.clock()
    slot = world.store.claim_slot("s", now, owner="me", now=now, lease_seconds=60, second_attempt_grace_seconds=60)
    assert slot is not None
    fenced = replace(slot, version=slot.version + 1)
    with pytest.raises(StaleWrite):
        await world.check().run(Trigger.SCHEDULE, seed=1, slot=fenced)
    assert world.store.checks("s") == []


async def test_only_so_many_conversations_are_open_at_once(world: World) -> None:
    open_now: list[int] = []

    class Counting(EchoAssistant):
        async def open(self, context: ConversationContext) -> EchoAssistant:
            open_now.append((open_now[-1] if open_now else 0) + 1)
            return await super().open(context)

        async def close(self) -> None:
            open_now.append(open_now[-1] - 1)

    world.assistant = Counting(answer=lambda _: GOOD)
    await world.run(world.check(rounds=5, at_once=2))
    assert (max(open_now), open_now[-1], len(open_now)) == (2, 0, 20)


async def test_the_same_seed_plays_the_same_conversations(world: World) -> None:
    first, second = LinesUser(["a", "b"]), LinesUser(["a", "b"])
    await world.run(world.check(first))
    await world.run(world.check(second))
    assert sorted(first.seeds) == sorted(second.seeds)
    assert len(set(first.seeds)) == len(first.seeds)
