"""Tool calls that are reported beside a conversation: waited for, and put into its transcript."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.intent import ExpectedCall, ToolCalls
from monitor.reporting import merge, with_reported
from monitor.transcript import EndReason, ReportedCall, ToolCall, Transcript, Turn
from tests.parties import T0, intent, transcript

CANCEL = ToolCall(name="cancel", arguments='{"order": "A1"}', was_reported=True)

PAY = ToolCall(name="pay", arguments="{}", was_reported=True)


def talk() -> Transcript:
    """Two replies, one at each minute."""
    said = transcript("hi", "hello", "cancel A1", "Done.")
    turns = [replace(turn, at=T0 + timedelta(minutes=number // 2)) for number, turn in enumerate(said.turns)]
    return replace(said, turns=tuple(turns))


def reported(call: ToolCall = CANCEL, seconds: float = 59.0, number: int = 1) -> ReportedCall:
    return ReportedCall(conversation_id="c", id=str(number), at=T0 + timedelta(seconds=seconds), call=call)


def told(*calls: ToolCall) -> Transcript:
    """The same, with calls that the last reply told of."""
    said = talk()
    return replace(said, turns=(*said.turns[:-1], replace(said.turns[-1], tool_calls=calls)))


def waits(wait_seconds: float, *, expects: bool = True, only: tuple[str, ...] = ()) -> ToolCalls:
    calls = (ExpectedCall(name="cancel"),) if expects else ()
    return ToolCalls(id="t", calls=calls, only=only, wait_seconds=wait_seconds)


class Reports:
    """Gives the reports only from the given look on; counts the looks."""

    def __init__(self, *found: ReportedCall, after: int = 0) -> None:
        self.found = found
        self.after = after
        self.looks = 0

    async def __call__(self, conversation_id: str) -> Sequence[ReportedCall]:
        assert conversation_id == "c"
        self.looks += 1
        return self.found if self.looks > self.after else ()


async def merged(reports: Reports, item: ToolCalls, said: Transcript | None = None) -> Transcript:
    asked = intent(checklist=(item,))
    return await with_reported(said or talk(), asked, "c", reports, poll_seconds=0.001)


def calls_of(said: Transcript) -> list[tuple[ToolCall, ...]]:
    return [turn.tool_calls for turn in said.assistant_turns]


def test_a_report_belongs_to_the_reply_during_which_it_came() -> None:
    early, late = reported(seconds=0), reported(seconds=3600, number=2)
    assert calls_of(merge(talk(), [early])) == [(CANCEL,), ()]
    assert calls_of(merge(talk(), [reported()])) == [(), (CANCEL,)]
    assert calls_of(merge(talk(), [late])) == [(), (CANCEL,)]


def test_a_report_of_what_the_reply_told_adds_its_result_to_it() -> None:
    said = told(ToolCall(name="cancel", arguments='{"order":"A1"}'))
    answered = replace(CANCEL, result="Error: too late", is_error=True)
    ((), (call,)) = calls_of(merge(said, [reported(answered)]))
    assert (call.result, call.is_error, call.was_reported) == ("Error: too late", True, True)


def test_a_second_report_of_what_was_told_once_is_a_second_call() -> None:
    said = told(ToolCall(name="cancel", arguments='{"order": "A1"}'))
    assert len(calls_of(merge(said, [reported(), reported(number=2)]))[1]) == 2


def told_first(*calls: ToolCall) -> Transcript:
    """The same, with calls that the first reply told of."""
    said = talk()
    return replace(said, turns=(said.turns[0], replace(said.turns[1], tool_calls=calls), *said.turns[2:]))


def test_a_report_that_comes_late_is_of_the_call_that_an_earlier_reply_told() -> None:
    said = told_first(ToolCall(name="cancel", arguments='{"order":"A1"}'))
    (call,), none = calls_of(merge(said, [reported(replace(CANCEL, result="ok"))]))
    assert (call.result, call.was_reported, none) == ("ok", True, ())


def test_a_report_is_of_no_call_that_a_later_reply_tells() -> None:
    said = told(ToolCall(name="cancel", arguments='{"order": "A1"}'))
    assert [len(calls) for calls in calls_of(merge(said, [reported(seconds=0)]))] == [1, 1]


def test_reports_are_of_the_calls_that_were_told_in_their_order() -> None:
    call = ToolCall(name="cancel", arguments='{"order": "A1"}')
    said = talk()
    twice = replace(said, turns=tuple(replace(turn, tool_calls=(call,)) for turn in said.turns))
    late = [reported(replace(CANCEL, result=str(number)), number=number) for number in (1, 2)]
    twice = replace(twice, turns=(said.turns[0], twice.turns[1], said.turns[2], twice.turns[3]))
    assert [[one.result for one in calls] for calls in calls_of(merge(twice, late))] == [["1"], ["2"]]


@pytest.mark.parametrize("arguments", ['{"key":"hunter2"}', '{ "key": "hunt\\u0065r2" }', "no json, hunter2"])
def test_a_report_whose_arguments_were_redacted_is_of_the_call_that_was_told(arguments: str) -> None:
    def redact(text: str) -> str:
        return text.replace("hunter2", "[redacted:x]")

    shown = "no json, [redacted:x]" if arguments.startswith("no") else '{"key": "[redacted:x]"}'
    said = told(ToolCall(name="cancel", arguments=arguments))
    ((), (call,)) = calls_of(merge(said, [reported(replace(CANCEL, arguments=shown))], redact))
    assert (call.arguments, call.was_reported) == (arguments, True)


def test_a_conversation_without_a_reply_takes_no_report() -> None:
    silent = replace(talk(), turns=talk().turns[:1])
    assert merge(silent, [reported()]) == silent


async def test_a_report_is_waited_for_until_the_item_holds() -> None:
    reports = Reports(reported(), after=3)
    assert calls_of(await merged(reports, waits(60))) == [(), (CANCEL,)]
    assert reports.looks == 4


async def test_the_wait_ends_with_its_time() -> None:
    began = asyncio.get_running_loop().time()
    said = await merged(Reports(), waits(0.05))
    assert 0.05 <= asyncio.get_running_loop().time() - began < 5
    assert said == talk()


async def test_what_must_not_come_is_waited_for_in_full() -> None:
    reports = Reports(reported(), after=3)
    assert calls_of(await merged(reports, waits(0.2, expects=False, only=("cancel",)))) == [(), (CANCEL,)]


async def test_what_must_not_come_besides_is_waited_for_in_full_though_what_must_came() -> None:
    class Later(Reports):
        async def __call__(self, conversation_id: str) -> Sequence[ReportedCall]:
            return [*await super().__call__(conversation_id), *([reported(PAY, number=2)] if self.looks > 3 else [])]

    assert calls_of(await merged(Later(reported()), waits(0.2, only=("pay",)))) == [(), (CANCEL, PAY)]


async def test_nobody_waits_where_nothing_is_wanted_or_the_talk_broke_off() -> None:
    reports = Reports()
    await merged(reports, waits(0))
    broken = replace(talk(), end=EndReason.HTTP_STATUS, outcome=EndReason.HTTP_STATUS.outcome)
    await merged(reports, waits(60), broken)
    assert reports.looks == 2


async def test_a_call_with_an_error_does_not_end_the_wait() -> None:
    failed = reported(replace(CANCEL, is_error=True))
    reports = Reports(failed)
    await merged(reports, waits(0.02))
    assert reports.looks > 1


def test_turns_are_left_as_they_were() -> None:
    def bare(turns: tuple[Turn, ...]) -> list[Turn]:
        return [replace(turn, tool_calls=()) for turn in turns]

    assert bare(merge(talk(), [reported()]).turns) == bare(talk().turns)
