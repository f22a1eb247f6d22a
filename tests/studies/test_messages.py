"""OpenAI-style messages become the transcript that scorers know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.studies.messages import Foreign, Unreadable, read_messages
from monitor.transcript import EndReason, Outcome, ToolCall

AT = datetime(2026, 3, 1, tzinfo=UTC)
PICTURE = {"type": "image_url", "image_url": {"url": "https://shop.example/shoe.png"}}


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: Any, *calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {})}


def call(name: str, call_id: str = "1", arguments: Any = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(text: str, call_id: str = "1", **more: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": text, **more}


def read(*messages: dict[str, Any], **options: Any) -> Foreign:
    return read_messages(list(messages), at=AT, **options)


def calls(foreign: Foreign) -> list[tuple[ToolCall, ...]]:
    return [turn.tool_calls for turn in foreign.transcript.turns]


def test_user_and_assistant_are_turns_in_order_and_the_rest_is_left_out() -> None:
    system = {"role": "system", "content": "be kind"}
    found = read(system, user("hello"), said("good day"), user("bye"))
    assert [(turn.role, turn.text) for turn in found.transcript.turns] == [
        ("user", "hello"),
        ("assistant", "good day"),
        ("user", "bye"),
    ]
    assert found.messages == (1, 2, 3)
    assert (found.transcript.outcome, found.transcript.end) == (Outcome.COMPLETED, EndReason.USER_ENDED)


def test_calls_without_a_text_join_the_text_that_follows_with_their_results() -> None:
    found = read(user("book"), said(None, call("find", "1")), result("two", "1"), said("done"))
    assert [turn.text for turn in found.transcript.turns] == ["book", "done"]
    assert calls(found)[1] == (ToolCall(name="find", arguments="{}", result="two"),)
    assert found.messages == (0, 3)


def test_an_id_that_repeats_is_paired_with_the_next_result_of_it() -> None:
    found = read(
        user("book"), said(None, call("a")), result("first"), said(None, call("b")), result("second"), said("done")
    )
    assert [(c.name, c.result) for c in calls(found)[1]] == [("a", "first"), ("b", "second")]


def test_calls_that_no_text_follows_stay_with_the_assistant() -> None:
    after_text = read(user("x"), said("one moment"), said(None, call("transfer")), result("ok"))
    assert [c.name for c in calls(after_text)[1]] == ["transfer"]
    alone = read(user("x"), said(None, call("transfer")), result("ok"))
    assert (alone.transcript.turns[1].text, calls(alone)[1][0].result) == ("", "ok")


def test_a_call_without_a_result_has_none_and_arguments_may_be_an_object() -> None:
    found = read(user("x"), said("done", call("f", "9", {"a": 1})), result("other", "8"))
    assert calls(found)[1] == (ToolCall(name="f", arguments='{"a": 1}'),)


@pytest.mark.parametrize(
    ("text", "is_error"),
    [
        ("Error: no such user", True),
        ("error", True),
        ('{"error": "no seat"}', True),
        ('{"is_error": true}', True),
        ('{"status": "error"}', True),
        ('{"error": null, "seats": 2}', False),
        ("Errors are rare here", False),
        ("{broken", False),
        ("", False),
    ],
)
def test_a_result_says_that_it_is_an_error(text: str, is_error: bool) -> None:
    assert calls(read(user("x"), said("y", call("f")), result(text)))[1][0].is_error is is_error


def test_a_tool_message_may_be_marked_as_an_error() -> None:
    assert calls(read(user("x"), said("y", call("f")), result("no", is_error=True)))[1][0].is_error


def test_content_may_be_a_list_of_parts_whose_texts_are_read() -> None:
    parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "this"}]
    assert read(user(parts), said("nice")).transcript.turns[0].text == "see\nthis"


def test_a_refusal_is_what_the_assistant_said() -> None:
    beside = said(None) | {"refusal": "I can't help with that."}
    inside = said([{"type": "refusal", "refusal": "I can't do this."}])
    plain = said("yes") | {"refusal": None, "function_call": None}
    found = read(user("x"), beside, user("y"), inside, user("z"), plain)
    assert [turn.text for turn in found.transcript.turns][1::2] == [
        "I can't help with that.",
        "I can't do this.",
        "yes",
    ]


def test_the_end_may_be_that_of_the_turns() -> None:
    assert read(said("x"), end="max_turns").transcript.end is EndReason.MAX_TURNS


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ("hello", 'messages: write a list of {"role", "content"}'),
        ([], 'messages: write a list of {"role", "content"}'),
        (["hello"], r"messages\[0\]: write an object with role and content"),
        ([{"role": "bot", "content": "x"}], r"messages\[0\].role: write one of system, "),
        ([{"role": ["user"], "content": "x"}], r"messages\[0\].role: write one of system, "),
        ([user(3)], r"messages\[0\].content: write text, null, or a list of parts"),
        ([user([PICTURE])], r"messages\[0\].content: has no text in it \(only image_url\)"),
        ([user("x"), said([{"type": "audio"}, {"type": "file"}])], r"\[1\].content: .*\(only audio, file\)"),
        ([user([{"type": ["text"]}])], r"messages\[0\].content: has no text in it"),
        ([said(None) | {"refusal": 3}], r"messages\[0\].refusal: write text or null"),
        (
            [said(None) | {"function_call": {"name": "f", "arguments": "{}"}}],
            r"messages\[0\].function_call: is the old form of a call; write tool_calls: ",
        ),
        ([user("x")], "the assistant says nothing"),
        ([said("x", call("f") | {"function": "f"})], r'messages\[0\].tool_calls\[0\]: write {"id", "function"'),
        ([{**said("x"), "tool_calls": {}}], r"messages\[0\].tool_calls: write a list"),
    ],
)
def test_what_is_no_conversation_is_told_with_what_would_be_right(messages: object, told: str) -> None:
    with pytest.raises(Unreadable, match=told):
        read_messages(messages, at=AT)


@pytest.mark.parametrize("end", ["never", None, ["user_ended"]])
def test_an_unknown_end_is_refused(end: object) -> None:
    with pytest.raises(Unreadable, match="end: write one of user_ended, max_turns"):
        read(said("x"), end=end)
