"""Which calls fulfil a `tool_call` item, and which break it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from monitor.intent import ExpectedCall, ToolCalls
from monitor.redact import Redactor
from monitor.score import ItemScore
from monitor.scorers.contract import Case
from monitor.scorers.task import Task
from monitor.scorers.tool_calls import says_error, score_tool_calls
from monitor.transcript import EndReason, ToolCall, Transcript
from tests.parties import intent, transcript

CANCEL = ExpectedCall(name="cancel", arguments={"order": "A1"})
ITEM = ToolCalls(id="t", calls=(CANCEL,), only=("cancel", "book"))


def call(tool: str, result: str | None = None, *, is_error: bool = False, **arguments: Any) -> ToolCall:
    return ToolCall(name=tool, arguments=json.dumps(arguments), result=result, is_error=is_error)


def talk(*calls: ToolCall) -> Transcript:
    said = transcript("cancel A1", "Done.")
    return replace(said, turns=(said.turns[0], replace(said.turns[1], tool_calls=calls)))


def score(item: ToolCalls, *calls: ToolCall) -> ItemScore:
    return score_tool_calls(item, talk(*calls))


def test_a_call_with_the_expected_arguments_and_more_is_it() -> None:
    scored = score(ITEM, call("find", q="A1"), call("cancel", order="A1", reason="late"))
    assert (scored.value, scored.reason) == (1.0, "called as expected")
    assert [(seen.turn, seen.quote) for seen in scored.evidence] == [(1, 'cancel {"order": "A1", "reason": "late"}')]


def test_what_was_not_called_is_named() -> None:
    assert score(ITEM).reason == "cancel was not called"
    assert score(ITEM, call("find", order="A1")).value == 0.0


def test_the_nearest_call_is_quoted_and_told_in_what_it_differs() -> None:
    wanted = ToolCalls(id="t", calls=(ExpectedCall(name="pay", arguments={"order": "A1", "amount": 5}),))
    scored = score(wanted, call("pay", order="B2", amount=6), call("pay", order="A1", amount=6))
    assert (scored.value, scored.reason) == (0.0, "pay was called with another amount")
    assert len(scored.evidence) == 2


@pytest.mark.parametrize(
    ("expected", "given", "is_same"),
    [
        ("A1", " a1 ", True),
        (5, "5.0", True),
        (5, 5.0, True),
        ("007", "7", False),
        (True, 1, False),
        (True, True, True),
        (None, None, True),
        ([1, 2], [1, 2.0], True),
        ([1, 2], [2, 1], False),
        ([1], 1, False),
        ({"city": "Rome"}, {"city": "rome", "zip": "1"}, True),
        ({"city": "Rome"}, {"zip": "1"}, False),
        ("5", float("inf"), False),
    ],
)
def test_arguments_are_compared_as_values(expected: object, given: object, is_same: bool) -> None:
    item = ToolCalls(id="t", calls=(ExpectedCall(name="x", arguments={"a": expected}),))
    assert score(item, call("x", a=given)).passed is is_same


def test_an_expected_null_may_be_left_out() -> None:
    assert score(ToolCalls(id="t", calls=(ExpectedCall(name="x", arguments={"a": None}),)), call("x")).passed


def test_every_expected_call_needs_one_of_its_own() -> None:
    twice = ToolCalls(id="t", calls=(CANCEL, CANCEL))
    assert not score(twice, call("cancel", order="A1")).passed
    assert score(twice, call("cancel", order="A1"), call("cancel", order="A1")).passed


def test_a_call_that_fits_two_is_left_to_the_one_that_needs_it() -> None:
    item = ToolCalls(id="t", calls=(ExpectedCall(name="cancel"), CANCEL))
    assert score(item, call("cancel", order="A1"), call("cancel", order="B2")).passed


def test_a_further_call_of_a_guarded_tool_fails_and_is_quoted() -> None:
    scored = score(ITEM, call("cancel", order="A1"), call("book", flight=7))
    assert (scored.value, scored.reason) == (0.0, "book was called beyond what is expected")
    assert [seen.quote for seen in scored.evidence] == ['book {"flight": 7}']
    assert score(ITEM, call("cancel", order="A1"), call("cancel", order="A1")).value == 0.0


def test_only_without_calls_means_that_none_may_be_called() -> None:
    item = ToolCalls(id="t", only=("book",))
    assert (score(item).value, score(item).reason) == (1.0, "never called: book")
    assert score(item, call("find"), call("book")).value == 0.0


@pytest.mark.parametrize("failed", [{"result": "Error: no seats"}, {"is_error": True, "result": "sorry"}])
def test_a_call_that_was_answered_with_an_error_neither_fulfils_nor_violates(failed: dict[str, Any]) -> None:
    assert not score(ITEM, call("cancel", order="A1", **failed)).passed
    assert score(ITEM, call("cancel", order="A1"), call("book", flight=7, **failed)).passed


@pytest.mark.parametrize(
    ("result", "is_error"),
    [
        ("Error: no such order", True),
        ("error", True),
        ("[ERROR] no such order", True),
        ("ValueError: no such order", True),
        ("Traceback (most recent call last):", True),
        ('{"error": "no such order"}', True),
        ('{"isError": true}', True),
        ('{"status": "error"}', True),
        ('{"error": null, "id": 7}', False),
        ('{"status": "done"}', False),
        ("error-free", False),
        ("errors: 0", False),
        ("No error: done", False),
        ("{broken", False),
        ("", False),
    ],
)
def test_an_answer_that_says_error_is_one(result: str, is_error: bool) -> None:
    assert says_error(result) is is_error


def test_a_conversation_that_did_not_finish_fails() -> None:
    done = talk(call("cancel", order="A1"))
    scored = score_tool_calls(ITEM, replace(done, end=EndReason.BUDGET, outcome=EndReason.BUDGET.outcome))
    assert (scored.value, scored.reason) == (0.0, "the conversation did not finish: budget")


@pytest.mark.parametrize("arguments", ["{broken", "[1]", "[" * 100_000, ""])
def test_arguments_that_are_no_object_are_not_the_expected_ones(arguments: str) -> None:
    assert score(ITEM, ToolCall(name="cancel", arguments=arguments)).value == 0.0


def test_what_redaction_hid_is_compared_as_hidden() -> None:
    redact = Redactor({"mail": r"\w+@example\.org"}).redact
    item = ToolCalls(id="t", calls=(ExpectedCall(name="send", arguments={"to": "ann@example.org", "count": 2}),))
    hidden = talk(call("send", to="[redacted:mail]", count=2))
    assert score_tool_calls(item, hidden, redact).passed
    assert not score_tool_calls(item, talk(call("send", to="[redacted:mail]", count=3)), redact).passed
    assert not score_tool_calls(item, talk(call("send", to="bob@example.org", count=2)), redact).passed


async def unheard(item: ToolCalls, *calls: ToolCall) -> ItemScore:
    """The item where no report could reach the monitor."""
    case = Case(intent=intent(checklist=(item,)), transcript=talk(*calls), hears_reports=False)
    return (await Task().score(case, {})).items[0]


WAITS = replace(ITEM, only=(), wait_seconds=9.0)


@pytest.mark.parametrize(
    ("item", "calls"), [(WAITS, ()), (replace(WAITS, only=("book",)), (call("cancel", order="A1"),))]
)
async def test_what_a_report_could_tell_is_not_measured_where_none_can_arrive(
    item: ToolCalls, calls: tuple[ToolCall, ...]
) -> None:
    scored = await unheard(item, *calls)
    assert (scored.value, scored.is_on) == (None, False)
    assert scored.reason.startswith("not measured: no report of a tool call could reach the monitor")


@pytest.mark.parametrize(
    ("item", "made", "value"),
    [
        (WAITS, "cancel", 1.0),
        (replace(WAITS, only=("book",)), "book", 0.0),
        (replace(WAITS, wait_seconds=0.0), "find", 0.0),
    ],
)
async def test_what_the_replies_alone_decide_is_measured_all_the_same(item: ToolCalls, made: str, value: float) -> None:
    assert (await unheard(item, call(made, order="A1"))).value == value


async def test_what_was_not_measured_then_is_not_measured_later() -> None:
    then = await unheard(WAITS)
    later = Case(intent=intent(checklist=(WAITS,)), transcript=talk(), known={"t": then})
    assert (await Task().score(later, {})).items == (then,)
