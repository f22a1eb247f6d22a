"""The completions client against our engine in its own process, and against a stand-in that answers as vLLM does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.completions import CompletionClient, CompletionRequest, read_model_info
from monitor.errors import CompletionRefused, CompletionUnavailable, EngineFailure
from monitor.http import HttpClient
from tests.fixtures.assistants import NO_TRUST, Reaction, ServeAssistant, in_turn, responds, responds_json
from tests.fixtures.models import EngineChild

PROMPT = tuple(range(1000, 1020))
END = 128256


@pytest.fixture
async def engine(userlm_engine: EngineChild) -> AsyncIterator[CompletionClient]:
    http = HttpClient(socket=str(userlm_engine.socket), max_response_bytes=50_000_000, verify=NO_TRUST)
    yield CompletionClient(http, "http://engine")
    await http.aclose()


async def test_the_same_seed_gives_the_same_completion(engine: CompletionClient) -> None:
    request = CompletionRequest(prompt=PROMPT, max_tokens=12, seed=5)
    first, second = await engine.complete(request), await engine.complete(request)
    assert first.ids == second.ids
    assert len(first.ids) == 12
    assert not first.is_finished
    assert first.log_likelihood == pytest.approx(second.log_likelihood)


async def test_another_seed_gives_another(engine: CompletionClient) -> None:
    drawn = {(await engine.complete(CompletionRequest(prompt=PROMPT, max_tokens=12, seed=s))).ids for s in range(4)}
    assert len(drawn) > 1


async def test_a_stop_id_ends_it_and_is_not_part_of_it(engine: CompletionClient) -> None:
    whole = await engine.complete(CompletionRequest(prompt=PROMPT, max_tokens=12, seed=5))
    stop = whole.ids[3]
    cut = await engine.complete(CompletionRequest(prompt=PROMPT, max_tokens=12, seed=5, stop_ids=(stop,)))
    assert cut.ids == whole.ids[: whole.ids.index(stop)]
    assert (cut.stopped_by, cut.is_finished) == (stop, True)


async def test_banned_ids_never_come_and_banned_first_ids_not_at_first(engine: CompletionClient) -> None:
    free = await engine.complete(CompletionRequest(prompt=PROMPT, max_tokens=1, seed=5))
    banned = CompletionRequest(prompt=PROMPT, max_tokens=12, seed=5, banned_ids=free.ids)
    assert free.ids[0] not in (await engine.complete(banned)).ids
    first = CompletionRequest(prompt=PROMPT, max_tokens=12, seed=5, banned_first_ids=free.ids)
    assert (await engine.complete(first)).ids[0] != free.ids[0]


async def test_the_watched_token_has_its_unmasked_log_probability(engine: CompletionClient) -> None:
    request = CompletionRequest(prompt=PROMPT, max_tokens=1, seed=5, watch=(END,), banned_ids=(END,))
    watched = (await engine.complete(request)).watched
    assert watched[END] == pytest.approx(await engine.score(PROMPT, [END]), abs=1e-3)


async def test_scores_of_a_continuation_add_up(engine: CompletionClient) -> None:
    whole = await engine.score(PROMPT, [11, 12])
    assert whole == pytest.approx(await engine.score(PROMPT, [11]) + await engine.score((*PROMPT, 11), [12]), abs=1e-3)
    assert whole < 0


async def test_the_engine_hands_out_its_tokenizer(engine: CompletionClient, userlm_folder: Path) -> None:
    info, folder = await engine.model_info(), read_model_info(userlm_folder, 2048)
    assert info.chat_template == folder.chat_template
    assert info.tokenizer == folder.tokenizer
    assert set(info.end_ids) == set(folder.end_ids)


async def test_a_request_that_is_wrong_is_refused_at_once(engine: CompletionClient) -> None:
    with pytest.raises(CompletionRefused, match="400"):
        await engine.complete(CompletionRequest(prompt=[10**9], max_tokens=1))


def vllm_answer(**choice: Any) -> dict[str, Any]:
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
    return {"id": "x", "object": "text_completion", "choices": [filled | choice], "usage": {"prompt_tokens": 3}}


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(verify=NO_TRUST)
    yield client
    await client.aclose()


async def test_vllms_answer_is_understood(serve_assistant: ServeAssistant, http: HttpClient) -> None:
    server = await serve_assistant(lambda _: responds_json(vllm_answer()))
    client = CompletionClient(http, server.origin, model="userlm", api_key="k")
    done = await client.complete(CompletionRequest(prompt=[1], max_tokens=9, stop_ids=(7,), watch=(9,)))
    assert (done.ids, done.stopped_by, done.log_likelihood, done.watched) == ((5, 6), 7, -1.75, {9: -2.0})
    sent = server.received[0]
    assert (sent.path, sent.headers["authorization"]) == ("/v1/completions", "Bearer k")
    assert sent.json()["stop_token_ids"] == [7]
    assert "bad_words" not in sent.json()


async def test_a_server_that_is_away_is_asked_once_more_with_the_same_seed(
    serve_assistant: ServeAssistant, http: HttpClient
) -> None:
    recovered: list[bool] = []

    async def recover() -> None:
        recovered.append(True)

    server = await serve_assistant(in_turn(responds(503), responds_json(vllm_answer())))
    client = CompletionClient(http, server.origin, recover=recover)
    await client.complete(CompletionRequest(prompt=[1], max_tokens=9, seed=77))
    assert client.is_answered
    assert [sent.json()["seed"] for sent in server.received] == [77, 77]
    assert recovered == [True]


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ([responds(503), responds(500)], CompletionUnavailable),
        ([responds(400, b"no")], CompletionRefused),
        ([responds_json({"choices": []})], CompletionUnavailable),
        ([responds(200, b"<html>"), responds(200, b"<html>")], CompletionUnavailable),
    ],
)
async def test_two_failures_or_a_refusal_are_the_callers(
    serve_assistant: ServeAssistant, http: HttpClient, answers: list[Any], error: type[Exception]
) -> None:
    server = await serve_assistant(in_turn(*answers))
    with pytest.raises(error):
        await CompletionClient(http, server.origin).complete(CompletionRequest(prompt=[1], max_tokens=9))


async def test_a_server_without_prompt_log_probabilities_is_told(
    serve_assistant: ServeAssistant, http: HttpClient
) -> None:
    server = await serve_assistant(lambda _: responds_json(vllm_answer()))
    with pytest.raises(CompletionRefused, match="no log-probabilities of the prompt"):
        await CompletionClient(http, server.origin).score([1], [2])


def test_a_folder_that_is_no_models_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineFailure, match="needs a tokenizer"):
        read_model_info(tmp_path, 2048)


async def test_a_server_that_is_gone_is_known_to_be_gone(http: HttpClient) -> None:
    client = CompletionClient(http, "http://127.0.0.1:9")
    with pytest.raises(CompletionUnavailable):
        await client.complete(CompletionRequest(prompt=[1], max_tokens=9))
    assert client.is_answered is False


@pytest.mark.parametrize(
    ("reaction", "is_answered"), [(responds_json({"data": []}), True), (responds(404), True), (responds(502), False)]
)
async def test_a_probe_tells_whether_a_server_is_there_whatever_it_thinks_of_the_question(
    serve_assistant: ServeAssistant, http: HttpClient, reaction: Reaction, is_answered: bool
) -> None:
    server = await serve_assistant(lambda _: reaction)
    client = CompletionClient(http, server.origin)
    await client.probe()
    assert client.is_answered is is_answered
    assert server.received[0].path == "/v1/models"
