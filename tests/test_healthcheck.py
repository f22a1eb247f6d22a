"""The main path with scripted parties and a real database: what is stored, decided and published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from monitor.assistants.contract import ConversationContext, Reply
from monitor.check import CheckStatus, Conversation, Group, Trigger
from monitor.errors import (
    AssistantFailure,
    AssistantRateLimited,
    CompletionUnavailable,
    EngineFailure,
    JudgeFailure,
    SimulatorInvalid,
    StaleWrite,
)
from monitor.healthcheck import HealthCheck, Progress
from monitor.intent import ExpectedCall, JudgeQuestion, RequiredFact, ToolCalls
from monitor.judge_usage import JudgeUsage
from monitor.machine import NotificationKind, Phase
from monitor.score import ComponentScore, Departure
from monitor.scorers.contract import Answer, Answers, Case, Judgement, Question
from monitor.scorers.scoring import Scoring
from monitor.scorers.task import Task
from monitor.stats import stratified_standard_error
from monitor.transcript import EndReason, Outcome, ReportedCall, ToolCall
from tests.fixtures.checking import BAD, GOOD, Checking
from tests.parties import Clock, EchoAssistant, LinesUser, intent


async def test_every_conversation_is_stored_and_summed_up(checking: Checking) -> None:
    done = await checking.run()
    stored = checking.store.conversations(done.id)
    assert sorted((c.intent_id, c.round, c.attempt) for c in stored) == [
        ("one", 0, 1),
        ("one", 1, 1),
        ("two", 0, 1),
        ("two", 1, 1),
    ]
    assert done == checking.store.check(done.id)
    assert done.summary is not None
    assert (done.status, done.summary.mean, done.summary.success_rate) == (CheckStatus.HEALTHY, 1.0, 1.0)
    assert checking.published == 1


async def test_every_stored_conversation_is_told_to_whoever_counts(checking: Checking) -> None:
    heard: list[Conversation] = []
    done = await checking.run(replace(checking.check(), observe=heard.append))
    stored = checking.store.conversations(done.id)
    assert sorted(c.id for c in heard) == sorted(c.id for c in stored)


async def test_a_mean_comes_with_its_standard_error(checking: Checking) -> None:
    summary = (await checking.run()).summary
    assert summary is not None
    assert summary.standard_error == stratified_standard_error([(1.0, [1.0, 1.0]), (3.0, [1.0, 1.0])])
    assert summary.clustered_error == 0.0
    assert summary.latency_seconds == 0.5


async def test_means_are_weighted_over_intents_and_count_errors_as_zero(checking: Checking) -> None:
    answers: list[str | Exception] = [AssistantFailure("empty"), GOOD]
    failing = iter(answers)
    checking.assistant.answer = lambda _: next(failing)
    summary = (await checking.run(checking.check(rounds=1))).summary
    assert summary is not None
    assert summary.mean_scored == 1.0
    assert summary.mean in (0.25, 0.75)
    assert (summary.error_count, summary.valid, summary.success_rate) == (1, 2, 0.5)


async def test_a_fall_opens_one_incident_and_recovery_closes_it(checking: Checking) -> None:
    for answer in (GOOD, BAD, BAD, GOOD, GOOD):
        checking.answers(answer)
        await checking.run()
    (incident,) = checking.store.incidents()
    rows = [(row.channel, row.kind, row.dedup_key) for row in checking.store.notifications()]
    assert incident.closed_at is not None
    assert rows == [
        (channel, kind, "app:test:s/overall")
        for kind in (NotificationKind.OPEN, NotificationKind.RESOLVE)
        for channel in ("slack", "pagerduty")
    ]
    assert checking.store.alert_state("s/overall").phase is Phase.RESOLVING


async def test_an_open_carries_its_evidence(checking: Checking) -> None:
    await checking.run()
    checking.answers(BAD)
    done = await checking.run()
    alert = checking.store.notifications()[0].alert
    assert (alert.average, alert.threshold, alert.check_id, alert.epoch) == (0.0, 0.7, done.id, "e1")
    assert [(worst.mean, worst.before) for worst in alert.worst_intents] == [(0.0, 1.0), (0.0, 1.0)]
    assert {worst.intent_id for worst in alert.worst_conversations} == {"one", "two"}
    assert "not in any reply: /30 days/" in alert.worst_conversations[0].summary


async def test_a_check_by_hand_measures_and_alerts_nobody(checking: Checking) -> None:
    checking.answers(BAD)
    done = await checking.run(trigger=Trigger.MANUAL)
    assert done.status is CheckStatus.DEGRADED
    assert checking.store.incidents() == []
    checking.answers(GOOD)
    await checking.run()
    await checking.run(trigger=Trigger.MANUAL)
    assert [c.trigger for c in checking.store.checks("s", alerting_only=True)] == [Trigger.ALERTING]


async def test_our_own_failures_are_retried_once_with_another_seed(checking: Checking) -> None:
    user = LinesUser([SimulatorInvalid(("too_short",))])
    done = await checking.run(checking.check(user))
    stored = checking.store.conversations(done.id)
    assert len(stored) == 8
    assert len({c.seed for c in stored}) == 8
    assert done.status is CheckStatus.INCONCLUSIVE
    assert done.summary is not None
    assert (done.summary.valid, done.summary.mean) == (0, None)
    assert done.summary.outcomes == {Outcome.SIMULATOR_INVALID: 4}


async def test_rate_limited_conversations_are_not_tried_again_and_say_nothing(checking: Checking) -> None:
    checking.answers(AssistantRateLimited("HTTP 429"))
    done = await checking.run()
    assert len(checking.store.conversations(done.id)) == 4
    assert done.status is CheckStatus.INCONCLUSIVE


async def test_an_inconclusive_check_leaves_the_alert_as_it_is(checking: Checking) -> None:
    checking.answers(BAD)
    await checking.run()
    before = checking.store.alert_state("s/overall")
    await checking.run(checking.check(LinesUser([SimulatorInvalid(("empty",))])))
    assert checking.store.alert_state("s/overall") == before
    assert before.phase is Phase.FIRING


class BrokenJudge:
    name = "task"

    def questions(self, case: Case) -> Sequence[Question]:
        return ()

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        raise JudgeFailure(f"no answer about {case.intent.id} after {len(case.transcript.turns)} turns")


async def test_a_judge_that_fails_is_never_a_number(checking: Checking) -> None:
    check = replace(checking.check(), scoring=Scoring([BrokenJudge()], {"task": 1.0}))
    done = await checking.run(check)
    assert done.summary is not None
    assert done.summary.outcomes == {Outcome.JUDGE_ERROR: 4}
    assert all(c.score.value is None for c in checking.store.conversations(done.id))


async def test_what_a_judge_took_before_it_failed_is_stored(checking: Checking) -> None:
    class HalfAway(JudgeOfUsers):
        async def ask(self, questions: Sequence[Question], case: Case, *, seed: int) -> Judgement:
            if all(question.id.startswith("user-") for question in questions):
                return await super().ask(questions, case, seed=seed)
            raise JudgeFailure("away", JudgeUsage(calls=2, prompt_tokens=5))

    item = JudgeQuestion(id="kind", question="Is it kind?")
    check = judged(checking)
    suite = replace(check.suite, intents=tuple(replace(one, checklist=(item,)) for one in check.suite.intents))
    scoring = Scoring([Task()], {"task": 1.0}, HalfAway())
    done = await checking.run(replace(check, suite=suite, scoring=scoring))
    stored = checking.store.conversations(done.id)
    assert {c.transcript.outcome for c in stored} == {Outcome.JUDGE_ERROR}
    assert {c.score.judged for c in stored} == {JudgeUsage(calls=3, prompt_tokens=15)}


class AbsentUserModel:
    name = "task"

    def questions(self, case: Case) -> Sequence[Question]:
        return ()

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        raise CompletionUnavailable(f"nobody answers about {case.intent.id}")


async def test_a_user_model_that_is_away_while_scoring_is_our_fault(checking: Checking) -> None:
    done = await checking.run(replace(checking.check(), scoring=Scoring([AbsentUserModel()], {"task": 1.0})))
    ends = {(c.transcript.end, c.score.value) for c in checking.store.conversations(done.id)}
    assert ends == {(EndReason.ENGINE, None)}
    assert done.status is CheckStatus.INCONCLUSIVE


async def test_an_unfair_user_is_tried_again_with_another_seed_and_never_scored(checking: Checking) -> None:
    user = LinesUser(["How can I help you today?"], tokens=7)
    done = await checking.run(checking.check(user, rounds=1))
    stored = checking.store.conversations(done.id)
    assert (len(stored), len({c.seed for c in stored})) == (4, 4)
    assert {(c.transcript.end, c.score.value) for c in stored} == {(EndReason.UNFAIR_USER, None)}
    assert stored[0].transcript.detail == "role_flip in turn 1: 'How can I help you'"
    assert done.summary is not None
    assert done.summary.outcomes == {Outcome.SIMULATOR_INVALID: 2}


async def test_an_unfair_user_is_no_excuse_for_an_assistant_that_cannot_be_reached(checking: Checking) -> None:
    checking.answers(AssistantFailure("connection_failed"))
    done = await checking.run(checking.check(LinesUser(["How can I help you today?"], tokens=7)))
    assert done.summary is not None
    assert done.summary.outcomes == {Outcome.ASSISTANT_ERROR: 4}


class JudgeOfUsers:
    """Says of the users of each intent whether they kept to it and made the task no harder."""

    is_sampled = False

    def __init__(self, **departures: Departure) -> None:
        self.departures = departures

    async def ask(self, questions: Sequence[Question], case: Case, *, seed: int) -> Judgement:
        departure = self.departures.get(case.intent.id, Departure.NONE)
        no = {
            Departure.NONE: set(),
            Departure.MINOR: {"user-kept-to-intent"},
            Departure.HINDERED: {"user-kept-to-intent", "user-made-it-no-harder"},
        }[departure]
        answers = {
            q.id: Answer(value=float(q.id not in no), reason="wanted a blue box, hunter2-hunter2") for q in questions
        }
        return Judgement(answers=answers, usage=JudgeUsage(calls=1, prompt_tokens=10))


def judged(checking: Checking, **departures: Departure) -> HealthCheck:
    scoring = Scoring([Task()], {"task": 1.0}, JudgeOfUsers(**departures))
    return replace(checking.check(LinesUser(["how long may I take?"], tokens=7), rounds=1), scoring=scoring)


async def test_a_user_whose_inventions_hindered_the_assistant_has_no_score(checking: Checking) -> None:
    done = await checking.run(judged(checking, two=Departure.HINDERED))
    kept, hindered = checking.store.conversations(done.id)[:2]
    assert (kept.value, kept.transcript.end) == (1.0, EndReason.USER_ENDED)
    assert (hindered.value, hindered.transcript.end) == (None, EndReason.UNFAIR_USER)
    assert hindered.validity is not None
    assert hindered.validity.departure is Departure.HINDERED
    assert hindered.transcript.detail.endswith("made the task harder: wanted a blue box, [redacted:token]")
    assert hindered.score.judged == JudgeUsage(calls=1, prompt_tokens=10)


async def test_users_who_departed_a_little_are_scored_and_told_apart(checking: Checking) -> None:
    answers = {"one": GOOD, "two": BAD}
    check = judged(checking, two=Departure.MINOR)
    checking.assistant = PerIntent(answers)
    summary = (await checking.run(replace(check, assistant=checking.assistant))).summary
    assert summary is not None
    assert (summary.in_spec, summary.out_of_spec) == (
        Group(conversations=1, mean=1.0),
        Group(conversations=1, mean=0.0),
    )
    assert summary.mean == 0.25


class PerIntent(EchoAssistant):
    """Answers by the intent that the conversation says it plays."""

    def __init__(self, answers: dict[str, str]) -> None:
        super().__init__()
        self.answers = answers

    async def open(self, context: ConversationContext) -> EchoAssistant:
        return EchoAssistant(answer=lambda _: self.answers[context.intent_id])


async def test_without_a_judge_nobody_says_whether_users_kept_to_their_intents(checking: Checking) -> None:
    done = await checking.run(checking.check(LinesUser(["how long may I take?"], tokens=7)))
    (first, *_) = checking.store.conversations(done.id)
    assert done.summary is not None
    assert (done.summary.in_spec, done.summary.out_of_spec) == (None, None)
    assert first.validity is not None
    assert (first.validity.departure, first.validity.reason) == (None, "not measured: no judge is configured")


async def test_a_check_says_how_its_users_spoke(checking: Checking) -> None:
    done = await checking.run(checking.check(LinesUser(["how long may I take?"], tokens=7)))
    assert done.summary is not None
    assert done.summary.fidelity is not None
    assert (done.summary.fidelity.conversations, done.summary.fidelity.opener_words) == (4, 5.0)
    assert done.summary.fidelity.first_turn_diversity == 0.0
    assert checking.store.check(done.id) == done


async def test_fixed_words_say_nothing_about_fidelity(checking: Checking) -> None:
    summary = (await checking.run()).summary
    assert summary is not None
    assert summary.fidelity is None


class BrokenScorer:
    name = "task"

    def questions(self, case: Case) -> Sequence[Question]:
        return ()

    async def score(self, case: Case, answers: Answers) -> ComponentScore:
        raise OverflowError(f"{case.intent.id} {len(answers)}")


async def test_a_scorer_that_breaks_ends_its_conversation_and_not_the_check(
    checking: Checking, caplog: pytest.LogCaptureFixture
) -> None:
    check = replace(checking.check(), scoring=Scoring([BrokenScorer()], {"task": 1.0}))
    done = await checking.run(check)
    (first, *_) = checking.store.conversations(done.id)
    assert done.status is CheckStatus.INCONCLUSIVE
    assert (first.transcript.end, first.transcript.outcome) == (EndReason.INTERNAL, Outcome.SIMULATOR_ERROR)
    assert first.transcript.assistant_turns[0].text == GOOD
    assert "conversation_broke" in caplog.text


async def test_secrets_are_redacted_before_they_are_stored(checking: Checking) -> None:
    checking.answers("my token is hunter2-hunter2, within 30 days")
    done = await checking.run()
    (turn, *_) = checking.store.conversations(done.id)[0].transcript.assistant_turns
    assert turn.text == "my token is [redacted:token], within 30 days"


async def test_progress_counts_to_the_end(checking: Checking) -> None:
    steps: list[Progress] = []
    await checking.check().run(Trigger.MANUAL, seed=1, on_progress=steps.append)
    assert [(step.done, step.planned) for step in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]


class Stuck(EchoAssistant):
    def __init__(self) -> None:
        super().__init__()
        self.is_asked = asyncio.Event()

    async def send(self, text: str) -> object:  # type: ignore[override]
        self.is_asked.set()
        await asyncio.Event().wait()
        return text


async def test_a_check_that_is_stopped_is_stored_as_cancelled(checking: Checking) -> None:
    checking.assistant = stuck = Stuck()
    task = asyncio.create_task(checking.run())
    await stuck.is_asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [c.status for c in checking.store.checks("s")] == [CheckStatus.CANCELLED]


async def test_an_owner_that_lost_its_slot_writes_nothing(checking: Checking) -> None:
    now = checking.clock()
    slot = checking.store.claim_slot("s", now, owner="me", now=now, lease_seconds=60, second_attempt_grace_seconds=60)
    assert slot is not None
    fenced = replace(slot, version=slot.version + 1)
    with pytest.raises(StaleWrite):
        await checking.check().run(Trigger.SCHEDULE, seed=1, slot=fenced)
    assert checking.store.checks("s") == []


async def test_only_so_many_conversations_are_open_at_once(checking: Checking) -> None:
    open_now: list[int] = []

    class Counting(EchoAssistant):
        async def open(self, context: ConversationContext) -> EchoAssistant:
            open_now.append((open_now[-1] if open_now else 0) + 1)
            return await super().open(context)

        async def close(self) -> None:
            open_now.append(open_now[-1] - 1)

    checking.assistant = Counting(answer=lambda _: GOOD)
    await checking.run(checking.check(rounds=5, at_once=2))
    assert (max(open_now), open_now[-1], len(open_now)) == (2, 0, 20)


async def test_the_same_seed_plays_the_same_conversations(checking: Checking) -> None:
    first, second = LinesUser(["a", "b"]), LinesUser(["a", "b"])
    await checking.run(checking.check(first))
    await checking.run(checking.check(second))
    assert sorted(first.seeds) == sorted(second.seeds)
    assert len(set(first.seeds)) == len(first.seeds)


async def test_the_user_is_in_use_while_there_are_conversations_and_let_go_before_the_verdict(
    checking: Checking,
) -> None:
    heard: list[str] = []

    @asynccontextmanager
    async def in_use() -> AsyncIterator[None]:
        heard.append("begin")
        yield
        heard.append("end")

    check = replace(checking.check(rounds=1), user_in_use=in_use, observe=lambda _: heard.append("conversation"))
    await checking.run(check)
    assert heard == ["begin", "conversation", "conversation", "end"]


class NoUser(AbstractAsyncContextManager[None]):
    """An engine that cannot be loaded."""

    async def __aenter__(self) -> None:
        raise EngineFailure("the engine cannot be started: no memory")

    async def __aexit__(self, *_: object) -> None:
        return None


async def test_a_check_without_a_user_to_ask_is_aborted_and_nobody_is_blamed(checking: Checking) -> None:
    with pytest.raises(EngineFailure):
        await checking.run(replace(checking.check(), user_in_use=NoUser))
    (check,) = checking.store.checks()
    assert (check.status, check.summary) == (CheckStatus.ABORTED, None)
    assert "no memory" in check.reason
    assert checking.assistant.heard == []


@dataclass
class ReportingAssistant(EchoAssistant):
    """Cancels an order behind the scenes and reports it, as its backend would, before it answers."""

    report: Callable[[ReportedCall], object] = lambda _: None
    now: Callable[[], datetime] = field(default_factory=Clock)
    conversation_id: str = ""

    async def open(self, context: ConversationContext) -> ReportingAssistant:
        self.conversation_id = context.conversation_id
        return self

    async def send(self, text: str) -> Reply:
        call = ToolCall(name="cancel", arguments='{"token": "hunter2-hunter2"}', was_reported=True)
        self.report(ReportedCall(conversation_id=self.conversation_id, id=text, at=self.now(), call=call))
        return await super().send(text)


async def test_reported_tool_calls_are_scored_stored_and_redacted(checking: Checking) -> None:
    item = ToolCalls(id="cancelled", calls=(ExpectedCall(name="cancel", arguments={"token": "hunter2-hunter2"}),))
    assistant = ReportingAssistant(report=checking.store.save_reported, now=checking.clock)
    check = checking.check(rounds=1, at_once=1)
    suite = replace(check.suite, intents=(intent(checklist=(item,)),))
    done = await checking.run(replace(check, suite=suite, assistant=assistant))
    (stored,) = checking.store.conversations(done.id)
    (call,) = stored.transcript.assistant_turns[0].tool_calls
    assert (stored.score.value, call.was_reported, call.arguments) == (1.0, True, '{"token": "[redacted:token]"}')
    assert [seen.quote for seen in stored.score.items[0].evidence] == ['cancel {"token": "[redacted:token]"}']


async def test_without_a_listener_for_reports_nobody_waits_and_the_item_is_not_measured(checking: Checking) -> None:
    waits = ToolCalls(id="cancelled", calls=(ExpectedCall(name="cancel"),), wait_seconds=60.0)
    fact = RequiredFact(id="days", patterns=("30 days",))
    check = checking.check(rounds=1, at_once=1)
    suite = replace(check.suite, intents=(intent(checklist=(waits, fact)),))
    done = await checking.run(replace(check, suite=suite, hears_reports=False))
    (stored,) = checking.store.conversations(done.id)
    assert [(item.value, item.is_on) for item in stored.score.items] == [(None, False), (1.0, True)]
    assert stored.score.value == 1.0
