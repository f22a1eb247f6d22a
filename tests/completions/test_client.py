"""The client of one server: what it sends, what it understands, and what it takes a server for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.completions import CompletionClient, CompletionRequest, ModelInfo, read_model_info
from monitor.errors import CompletionFailure, CompletionRefused, CompletionUnavailable, EngineFailure
from monitor.http import HttpClient
from tests.completions.conftest import Served
from tests.fixtures.assistants import Answer, Reaction, ServeAssistant, in_turn, responds, responds_json
from tests.fixtures.vllm import VllmStandIn

REQUEST = CompletionRequest(prompt=[1], max_tokens=9, stop_ids=(7,), watch=(9,))


def models(owned_by: str = "vllm", **more: Any) -> Reaction:
    return responds_json({"data": [{"id": "other", "owned_by": "x"}, {"id": "m", "owned_by": owned_by} | more]})


def answering(*reactions: Reaction, owned_by: str = "vllm") -> Answer:
    """A server of this kind that gives these answers to completions."""
    answers = in_turn(*reactions)
    return lambda request: models(owned_by) if request.path == "/v1/models" else answers(request)


def answer(**choice: Any) -> Reaction:
    """A completion as vLLM documents it."""
    filled = {
        "index": 0,
        "text": "hello there",
        "token_ids": [5, 6, 7],
        "finish_reason": "stop",
        "stop_reason": 7,
        "logprobs": {
            "tokens": ["a", "b", "c"],
            "token_logprobs": [-0.5, -0.25, -1.0],
            "top_logprobs": [{"token_id:5": -0.5, "token_id:9": -2.0}, {}, {}],
            "text_offset": [0, 1, 2],
        },
    }
    return responds_json(
        {"id": "x", "object": "text_completion", "choices": [filled | choice], "usage": {"prompt_tokens": 3}}
    )


async def test_an_answer_is_understood(serve_assistant: ServeAssistant, http: HttpClient) -> None:
    server = await serve_assistant(answering(answer()))
    client = CompletionClient(http, server.origin, model="m", api_key="k")
    done = await client.complete(REQUEST)
    assert (done.ids, done.stopped_by, done.log_likelihood, done.watched) == ((5, 6), 7, -1.75, {9: -2.0})
    assert [sent.path for sent in server.received] == ["/v1/models", "/v1/completions"]
    assert {sent.headers["authorization"] for sent in server.received} == {"Bearer k"}
    assert (server.received[1].json()["model"], "x-session-id" in server.received[1].headers) == ("m", False)


async def test_a_server_is_asked_once_what_it_is(serve_assistant: ServeAssistant, http: HttpClient) -> None:
    server = await serve_assistant(answering(answer()))
    client = CompletionClient(http, server.origin, model="m")
    for _ in range(2):
        await client.complete(REQUEST)
    assert [sent.path for sent in server.received].count("/v1/models") == 1


async def test_the_conversation_is_named_to_whoever_spreads_requests(
    serve_assistant: ServeAssistant, http: HttpClient
) -> None:
    server = await serve_assistant(answering(answer()))
    await CompletionClient(http, server.origin, model="m").complete(
        CompletionRequest(prompt=[1], max_tokens=9, conversation="c7")
    )
    assert server.received[-1].headers["x-session-id"] == "c7"


async def test_vllms_null_for_the_models_own_end_is_that_end(serve_assistant: ServeAssistant, http: HttpClient) -> None:
    server = await serve_assistant(answering(answer(stop_reason=None)))
    done = await CompletionClient(http, server.origin, model="m").complete(REQUEST)
    assert (done.ids, done.stopped_by) == ((5, 6), 7)


async def test_sglangs_names_are_understood(serve_assistant: ServeAssistant, http: HttpClient) -> None:
    reaction = answer(stop_reason="not this", matched_stop=7, logprobs=None)
    server = await serve_assistant(answering(reaction, owned_by="sglang"))
    done = await CompletionClient(http, server.origin, model="m").complete(REQUEST)
    assert (done.ids, done.stopped_by, done.log_likelihood, done.watched) == ((5, 6), 7, None, {})


async def test_a_server_that_knows_openais_parameters_alone_is_refused_before_it_is_asked(
    serve_assistant: ServeAssistant, http: HttpClient
) -> None:
    server = await serve_assistant(answering(answer(), owned_by="somebody"))
    with pytest.raises(CompletionRefused, match=r"'somebody'.* does not know return_token_ids, stop_token_ids"):
        await CompletionClient(http, server.origin, model="m").complete(REQUEST)
    assert [sent.path for sent in server.received] == ["/v1/models"]


async def test_a_ban_of_first_ids_is_two_calls_where_it_is_not_known(
    stand_in: Served, vllm_stand_in: VllmStandIn
) -> None:
    await stand_in.client.complete(stand_in.request(banned_first_ids=(1000,), watch=(stand_in.end,)))
    first, second = vllm_stand_in.received
    assert (first["max_tokens"], second["max_tokens"]) == (1, 11)
    assert set(first["logit_bias"]) - set(second["logit_bias"]) == {"1000"}
    assert second["prompt"][:-1] == first["prompt"]
    assert not any("banned_first_token_ids" in body for body in vllm_stand_in.received)


async def test_a_stop_at_the_first_token_is_one_call(stand_in: Served, vllm_stand_in: VllmStandIn) -> None:
    (likeliest,) = await stand_in.ids(temperature=0.0, max_tokens=1)
    await stand_in.ids(temperature=0.0, stop_ids=(likeliest,), banned_first_ids=(1000,))
    assert len(vllm_stand_in.received) == 2


async def test_only_our_engine_is_told_where_scores_begin(serve_assistant: ServeAssistant, http: HttpClient) -> None:
    scored = responds_json({"choices": [{"index": 0, "prompt_logprobs": [None, {"2": {"logprob": -1.5}}]}]})
    sent = []
    for owned_by in ("vllm", "assistant-monitor"):
        server = await serve_assistant(answering(scored, owned_by=owned_by))
        assert await CompletionClient(http, server.origin, model="m").score([1], [[2]]) == [-1.5]
        sent.append(server.received[-1].json())
    assert [body.get("logprob_start_len") for body in sent] == [None, 1]


async def test_a_server_without_prompt_log_probabilities_is_told(
    serve_assistant: ServeAssistant, http: HttpClient
) -> None:
    server = await serve_assistant(answering(answer()))
    with pytest.raises(CompletionRefused, match="no log-probabilities of the prompt"):
        await CompletionClient(http, server.origin, model="m").score([1], [[2]])


@pytest.mark.parametrize(
    ("reaction", "error", "is_away"),
    [
        (responds(503), CompletionUnavailable, True),
        (responds(200, b"<html>"), CompletionUnavailable, True),
        (responds(500), CompletionUnavailable, False),
        (responds(429), CompletionUnavailable, False),
        (responds_json({"choices": []}), CompletionUnavailable, False),
        (responds(400, b"no"), CompletionRefused, False),
        (responds(401), CompletionRefused, True),
        (responds(404), CompletionRefused, True),
    ],
)
async def test_a_failure_says_whether_it_is_the_servers_or_the_requests(
    serve_assistant: ServeAssistant,
    http: HttpClient,
    reaction: Reaction,
    error: type[CompletionFailure],
    is_away: bool,
) -> None:
    server = await serve_assistant(answering(reaction))
    with pytest.raises(error) as failed:
        await CompletionClient(http, server.origin, model="m").complete(REQUEST)
    assert failed.value.is_away is is_away


async def test_a_server_that_is_gone_is_known_to_be_gone(http: HttpClient) -> None:
    client = CompletionClient(http, "http://127.0.0.1:9")
    with pytest.raises(CompletionUnavailable):
        await client.complete(REQUEST)
    assert client.is_answered is False


@pytest.mark.parametrize(
    ("reaction", "is_answered"),
    [
        (models(), True),
        (responds(401), False),
        (responds(403), False),
        (responds(404), False),
        (responds(502), False),
        (responds_json({"data": []}), False),
    ],
)
async def test_a_probe_tells_whether_a_server_can_be_used(
    serve_assistant: ServeAssistant, http: HttpClient, reaction: Reaction, is_answered: bool
) -> None:
    server = await serve_assistant(lambda _: reaction)
    client = CompletionClient(http, server.origin)
    await client.probe()
    assert client.is_answered is is_answered
    assert server.received[0].path == "/v1/models"


async def test_the_engine_hands_out_its_tokenizer(engine: Served, userlm_info: ModelInfo) -> None:
    info = await engine.client.model_info()
    assert info.chat_template == userlm_info.chat_template
    assert info.tokenizer == userlm_info.tokenizer
    assert set(info.end_ids) == set(userlm_info.end_ids)


def test_a_folder_that_is_no_models_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineFailure, match="needs a tokenizer"):
        read_model_info(tmp_path, 2048)
