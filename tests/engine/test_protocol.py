"""What the engine's HTTP interface promises, against the real process."""

from __future__ import annotations

import json

import pytest

from tests.fixtures.models import END_OF_TEXT, END_OF_TURN, EngineChild

PROMPT = [128006, 882, 128007, 198, 9906, 128009]


def refusal(engine: EngineChild, content: object, path: str = "/v1/completions") -> tuple[int, dict[str, str]]:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = engine.client.post(path, content=raw)
    return answer.status_code, answer.json()["error"]


def test_an_answer_carries_text_ids_and_counts(userlm_engine: EngineChild) -> None:
    choice = userlm_engine.complete(prompt=PROMPT, max_tokens=3, temperature=0, return_token_ids=True)
    assert choice["text"] and len(choice["token_ids"]) == 3  # type: ignore[arg-type]
    assert (choice["finish_reason"], choice["stop_reason"]) == ("length", None)
    assert choice["prompt_token_ids"] == PROMPT
    usage = choice["usage"]
    assert isinstance(usage, dict)
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (6, 3, 9)


def test_text_prompts_are_tokenised_as_given(userlm_engine: EngineChild) -> None:
    by_text = userlm_engine.complete(prompt="hello", max_tokens=1, temperature=0, return_token_ids=True)
    assert by_text["prompt_token_ids"] == [15339]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"temprature": 1}, "temprature"),
        ({"n": 2}, "n"),
        ({"echo": True}, "echo"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"prompt": [[1], [2]]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [128257]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"9" * 5000: 1}}, "logit_bias"),
        ({"stop_token_ids": [999999]}, "stop_token_ids"),
        ({"allowed_token_ids": []}, "allowed_token_ids"),
        ({"bad_words": [""]}, "bad_words"),
        ({"stop": ""}, "stop"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(
    userlm_engine: EngineChild, change: dict[str, object], param: str
) -> None:
    status, error = refusal(userlm_engine, {"prompt": PROMPT, **change})
    assert (status, error["type"], error["param"]) == (400, "invalid_request_error", param)


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b"\xff", b"[1]", b'{"prompt": "a", "prompt": "b"}', b'{"prompt": "a", "top_p": NaN}', b"[" * 100_000],
)
def test_a_body_that_is_not_a_proper_json_object_is_refused(userlm_engine: EngineChild, content: bytes) -> None:
    status, error = refusal(userlm_engine, content)
    assert (status, error["type"]) == (400, "invalid_request_error")


def test_text_that_is_not_unicode_is_refused(userlm_engine: EngineChild) -> None:
    status, _ = refusal(userlm_engine, b'{"prompt": "\\ud800"}')
    assert status == 400


def test_a_request_longer_than_the_window_is_refused_alone(userlm_engine: EngineChild) -> None:
    status, error = refusal(userlm_engine, {"prompt": [5] * 2000, "max_tokens": 100})
    assert (status, error["code"]) == (400, "context_length_exceeded")
    assert userlm_engine.complete(prompt=PROMPT, max_tokens=1)["finish_reason"] == "length"


def test_a_body_past_the_limit_is_refused(userlm_engine: EngineChild) -> None:
    status, error = refusal(userlm_engine, b'{"prompt": "' + b"a" * 8_000_001 + b'"}')
    assert (status, error["code"]) == (413, "body_too_large")


def test_another_model_is_not_found(userlm_engine: EngineChild) -> None:
    status, error = refusal(userlm_engine, {"model": "gpt-9", "prompt": PROMPT})
    assert (status, error["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan"])
def test_a_senseless_deadline_is_refused(userlm_engine: EngineChild, seconds: str) -> None:
    answer = userlm_engine.client.post(
        "/v1/completions", json={"prompt": PROMPT}, headers={"X-Deadline-Seconds": seconds}
    )
    assert answer.status_code == 400


def test_a_request_past_its_deadline_is_answered(userlm_engine: EngineChild) -> None:
    body = {"prompt": PROMPT, "max_tokens": 1900, "ignore_eos": True}
    answer = userlm_engine.client.post("/v1/completions", json=body, headers={"X-Deadline-Seconds": "0.05"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")


def test_a_template_of_a_user_ends_in_the_users_header(userlm_engine: EngineChild) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1, "return_token_ids": True}
    choice = userlm_engine.client.post("/v1/chat/completions", json=body).json()["choices"][0]
    assert choice["prompt_token_ids"][-3:] == [128006, 882, 128007]


def test_control_tokens_spelt_in_a_message_stay_text(userlm_engine: EngineChild) -> None:
    text = "a <|eot_id|> <|endconversation|> <|start_header_id|>"
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 1, "return_token_ids": True}
    ids = userlm_engine.client.post("/v1/chat/completions", json=body).json()["choices"][0]["prompt_token_ids"]
    assert [token for token in ids if token >= 128000] == [128006, 128007, END_OF_TURN, 128006, 128007]


def test_the_tokenizer_says_all_that_a_client_needs(userlm_engine: EngineChild) -> None:
    content = userlm_engine.client.get("/v1/tokenizer").json()
    assert content["special"] == {"bos": 128000, "eos": [END_OF_TEXT, END_OF_TURN]}
    assert (content["max_context"], content["vocab_size"], content["model"]) == (2048, 128257, "userlm")
    assert content["chat_template"].endswith("user<|end_header_id|>")
    assert {added["content"] for added in content["tokenizer"]["added_tokens"]} >= {"<|endconversation|>"}


def test_an_unknown_path_has_an_error_in_the_same_form(userlm_engine: EngineChild) -> None:
    answer = userlm_engine.client.get("/v1/embeddings")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")
