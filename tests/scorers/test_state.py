"""The state that is asked of a system after a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from monitor.intent import JudgeQuestion, State
from monitor.judge_usage import JudgeUsage
from monitor.score import ItemScore
from monitor.scorers.contract import Answer, Case, Judgement, Question
from monitor.scorers.scoring import Scoring
from monitor.scorers.state import StateSource, score_state
from monitor.scorers.task import Task
from tests.fixtures.assistants import Reaction, ServeAssistant, in_turn, never_answers, responds, responds_json
from tests.parties import intent, transcript

SCHEMA = {"properties": {"status": {"const": "cancelled"}}, "required": ["status"]}
ITEM = State(id="s", source="orders", path="/of/{conversation_id}", schema=SCHEMA)
CASE = Case(intent=intent(checklist=(ITEM,)), transcript=transcript("?", "Done."), conversation_id="c/1", is_fresh=True)
DONE, OPEN = {"status": "cancelled"}, {"status": "open"}


async def score(serve: ServeAssistant, *reactions: Reaction, item: State = ITEM, case: Case = CASE) -> ItemScore:
    server = await serve(in_turn(*reactions))
    source = StateSource(url=f"{server.url}/", token="let-me-in", timeout_seconds=0.3)
    return await score_state(item, case, {"orders": source}, sleep=_at_once)


async def _at_once(_: float) -> None:
    return None


async def test_the_source_is_asked_for_this_conversation(serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(lambda _: responds_json(DONE))
    source = StateSource(url=f"{server.url}/api", token="let-me-in")
    scored = await score_state(ITEM, CASE, {"orders": source})
    (asked,) = server.received
    assert (asked.method, asked.path.endswith("/api/of/c%2F1")) == ("GET", True)
    assert asked.headers["authorization"] == "Bearer let-me-in"
    assert (scored.value, scored.reason) == (1.0, "as expected")
    assert [(seen.turn, seen.quote) for seen in scored.evidence] == [(1, 'HTTP 200: {"status": "cancelled"}')]


async def test_another_state_is_the_assistants_failure(serve_assistant: ServeAssistant) -> None:
    scored = await score(serve_assistant, responds_json(OPEN))
    assert (scored.value, scored.reason) == (0.0, "$.status: 'cancelled' was expected")
    scored = await score(serve_assistant, responds_json({}, status=404))
    assert (scored.value, scored.reason) == (0.0, "HTTP 404 in place of 200: what the path names does not exist")
    scored = await score(serve_assistant, responds(body=b"open"), item=replace(ITEM, schema=None, patterns=("done",)))
    assert (scored.value, scored.reason) == (0.0, "not in the answer: 'done'")
    assert (await score(serve_assistant, responds(body=b"no json"))).value == 0.0


async def test_a_status_can_be_what_is_expected(serve_assistant: ServeAssistant) -> None:
    gone = replace(ITEM, status=404, schema=None)
    assert (await score(serve_assistant, responds(status=404), item=gone)).value == 1.0


async def test_a_state_that_is_not_yet_so_is_asked_for_again(serve_assistant: ServeAssistant) -> None:
    answers = (responds_json(OPEN), responds_json({}, status=500), responds_json(DONE))
    assert (await score(serve_assistant, *answers, item=replace(ITEM, wait_seconds=5))).value == 1.0
    assert (await score(serve_assistant, *answers, item=replace(ITEM, wait_seconds=0))).value == 0.0


async def test_an_answer_that_is_too_large_to_be_looked_at_is_not_measured(serve_assistant: ServeAssistant) -> None:
    scored = await score(serve_assistant, responds_json([0] * 10_000))
    assert (scored.value, scored.reason) == (None, "not measured: too large: its JSON has over 10000 values")


async def test_the_wait_is_bounded(serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(lambda _: responds_json(OPEN))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    item = replace(ITEM, wait_seconds=4)
    await score_state(item, CASE, {"orders": StateSource(url=server.url)}, sleep=sleep)
    assert slept == [0.5, 1.0, 2.0, 0.5]
    assert len(server.received) == 5


async def test_a_source_that_does_not_answer_is_never_the_assistants_failure(serve_assistant: ServeAssistant) -> None:
    cases: list[tuple[Reaction, str]] = [
        (never_answers(), "orders did not answer: deadline"),
        (responds(status=503), "orders answered with HTTP 503"),
        (responds(status=401), "orders answered with HTTP 401"),
        (responds(status=302, headers={"location": "/login"}), "orders did not answer: redirected"),
    ]
    for reaction, why in cases:
        scored = await score(serve_assistant, reaction)
        assert scored.value is None
        assert scored.is_on
        assert scored.reason.startswith(f"not measured: {why}"), scored.reason
    away = await score_state(ITEM, CASE, {"orders": StateSource(url="http://127.0.0.1:9")})
    assert away.value is None


async def test_what_is_quoted_is_redacted_before_it_is_cut(serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(lambda _: responds(body=b"x" * 180 + b" hunter2-hunter2"))

    def hide(text: str) -> str:
        return text.replace("hunter2-hunter2", "[redacted:token]")

    item = replace(ITEM, schema=None, patterns=("hunter2",))
    scored = await score_state(item, CASE, {"orders": StateSource(url=server.url)}, hide)
    assert scored.value == 1.0
    assert "hunter" not in scored.evidence[0].quote


async def test_later_the_answer_of_then_stands_and_the_source_is_not_asked() -> None:
    known = ItemScore(id="s", kind="state", value=0.0, reason="$.status: 'cancelled' was expected")
    later = replace(CASE, is_fresh=False, known={"s": known})
    sources = {"orders": StateSource(url="http://127.0.0.1:9")}
    assert await score_state(replace(ITEM, weight=3.0), later, sources) == replace(known, weight=3.0)
    unknown = await score_state(ITEM, replace(later, known={}), sources)
    assert (unknown.value, unknown.is_on) == (None, False)


async def test_a_task_asks_its_sources(serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(lambda _: responds_json(DONE))
    component: Any = await Task({"orders": StateSource(url=server.url)}).score(CASE, {})
    assert component.value == 1.0
    assert (await Task().score(CASE, {})).value is None


class Wavers:
    """A judge whose answers lie so close that it is asked again."""

    is_sampled = True
    name = "wavers"

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, questions: Sequence[Question], case: Case, *, seed: int) -> Judgement:
        del case, seed
        self.asked += 1
        return Judgement(
            answers={one.id: Answer(value=0.5, reason="r") for one in questions}, usage=JudgeUsage(calls=1)
        )


async def test_a_source_is_asked_once_however_often_the_judge_is(serve_assistant: ServeAssistant) -> None:
    server = await serve_assistant(in_turn(responds_json(DONE), responds_json(OPEN)))
    judge = Wavers()
    checklist = (replace(ITEM, weight=0.1), JudgeQuestion(id="q", question="Is it?"))
    scoring = Scoring([Task({"orders": StateSource(url=server.url)})], {"task": 1.0}, judge=judge)
    score = await scoring.score(replace(CASE, intent=intent(checklist=checklist)))
    assert (judge.asked, len(server.received), score.items[0].value) == (3, 1, 1.0)
