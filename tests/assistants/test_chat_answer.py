"""What an OpenAI-compatible server may answer, and what is made of it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.assistants.chat_answer import ChatPieces, read_completion
from monitor.errors import AssistantFailure
from monitor.transcript import ToolCall, Usage


def completion(message: object, **further: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], **further}


def delta(**fields: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "Hello"}, "Hello"),
        ({"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]}, "Hello"),
        ({"content": [{"type": "image_url", "image_url": {}}, "Hello"]}, "Hello"),
        ({"content": None, "refusal": "I will not."}, "I will not."),
        ({"content": [{"type": "refusal", "refusal": "No."}]}, "No."),
        ({"content": "  spaced\n\u202eout\x1b[31m "}, "  spaced\n\u202eout\x1b[31m "),
        ({"content": "a\ud800b\0c"}, "a\ufffdb\ufffdc"),
    ],
)
def test_the_text_is_what_was_sent(message: object, text: str) -> None:
    assert read_completion(completion(message)).text == text


def test_tool_calls_usage_and_finish_reason_are_kept() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"id": 1}'}}
    message = {"content": "Found.", "tool_calls": [call], "function_call": {"name": "old", "arguments": {"a": 1}}}
    answer = read_completion(completion(message, usage={"prompt_tokens": 3, "completion_tokens": 2}))
    assert answer.tool_calls == (
        ToolCall(name="find", arguments='{"id": 1}'),
        ToolCall(name="old", arguments='{"a": 1}'),
    )
    assert (answer.usage, answer.finish_reason) == (Usage(prompt_tokens=3, completion_tokens=2), "stop")


@pytest.mark.parametrize(
    "usage", [None, {}, "many", {"prompt_tokens": None}, {"prompt_tokens": -1}, {"prompt_tokens": True}]
)
def test_usage_that_is_not_stated_is_not_zero(usage: object) -> None:
    assert read_completion(completion({"content": "Hello"}, usage=usage)).usage is None


@pytest.mark.parametrize("content", [None, "", " \n", []])
def test_an_answer_without_text_is_empty(content: object) -> None:
    with pytest.raises(AssistantFailure) as caught:
        read_completion(completion({"content": content}))
    assert (caught.value.reason, caught.value.detail) == ("empty", "no text (finish_reason stop)")


def test_an_answer_of_tool_calls_alone_is_empty_and_names_them() -> None:
    call = {"function": {"name": "find", "arguments": "{}"}}
    with pytest.raises(AssistantFailure, match="no text, only calls of find"):
        read_completion(completion({"content": None, "tool_calls": [call]}))


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "Hello",
        7,
        {},
        {"choices": None},
        {"choices": []},
        {"choices": {}},
        {"choices": [None]},
        {"choices": [{}]},
        completion(None),
        completion("Hello"),
        completion({"content": 7}),
        completion({"content": {"text": "Hello"}}),
        completion({"content": [7]}),
        completion({"content": "Hello", "tool_calls": {"a": 1}}),
        completion({"content": "Hello", "tool_calls": [{}]}),
        completion({"content": "Hello", "tool_calls": [{"function": {"name": 7}}]}),
        {"error": {"message": "overloaded"}},
        {"error": "overloaded"},
    ],
)
def test_another_shape_is_malformed(document: object) -> None:
    with pytest.raises(AssistantFailure, match=r"^malformed: "):
        read_completion(document)


def test_an_error_in_place_of_an_answer_is_told_in_its_own_words() -> None:
    with pytest.raises(AssistantFailure, match="an error in place of an answer: overloaded"):
        read_completion({"error": {"message": "over\x1b[2Jloaded", "code": 429}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "delta", "tool_calls", "function", "name", "usage", "text"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_document_whatever_is_worse_than_malformed_or_empty(document: Any) -> None:
    for read in (read_completion, ChatPieces().add):
        try:
            read(document)
        except AssistantFailure as failure:
            assert failure.reason in ("malformed", "empty")


def test_pieces_become_one_answer() -> None:
    pieces = ChatPieces()
    for event in (delta(role="assistant", content=""), delta(content="Hel"), delta(content="lo")):
        pieces.add(event)
    pieces.add({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
    pieces.add({"choices": [], "usage": {"completion_tokens": 2}})
    answer = pieces.finish(done=False)
    assert (answer.text, answer.finish_reason, answer.usage) == ("Hello", "length", Usage(completion_tokens=2))


def test_an_emoji_cut_between_two_pieces_is_joined() -> None:
    pieces = ChatPieces()
    pieces.add(delta(content="\ud83c"))
    pieces.add(delta(content="\udf89"))
    assert pieces.finish(done=True).text == "🎉"


def test_pieces_of_tool_calls_are_joined_by_their_index() -> None:
    pieces = ChatPieces()
    pieces.add(delta(content="Let me look.", tool_calls=[{"index": 0, "function": {"name": "find", "arguments": ""}}]))
    pieces.add(delta(tool_calls=[{"index": 1, "function": {"name": "buy", "arguments": "{}"}}]))
    pieces.add(delta(tool_calls=[{"index": 0, "function": {"arguments": '{"id":'}}]))
    pieces.add(delta(tool_calls=[{"index": 0, "function": {"arguments": "1}"}}]))
    assert pieces.finish(done=True).tool_calls == (
        ToolCall(name="find", arguments='{"id":1}'),
        ToolCall(name="buy", arguments="{}"),
    )


def test_a_stream_that_just_ends_is_malformed_and_not_complete() -> None:
    pieces = ChatPieces()
    pieces.add(delta(content="The answer is"))
    with pytest.raises(AssistantFailure, match="malformed: the stream ended before the answer did"):
        pieces.finish(done=False)


def test_an_error_in_the_middle_of_a_stream_is_malformed() -> None:
    pieces = ChatPieces()
    pieces.add(delta(content="The answer is"))
    with pytest.raises(AssistantFailure, match="out of memory"):
        pieces.add({"error": {"message": "out of memory"}})


def test_a_streamed_call_of_the_older_kind_is_put_together() -> None:
    pieces = ChatPieces()
    pieces.add({"choices": [{"delta": {"content": "Done.", "function_call": {"name": "find", "arguments": '{"id"'}}}]})
    pieces.add({"choices": [{"delta": {"function_call": {"arguments": ": 1}"}}}]})
    assert pieces.finish(done=True).tool_calls == (ToolCall(name="find", arguments='{"id": 1}'),)
