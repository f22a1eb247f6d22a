"""Requests in the words of each kind of server: what one does not know is never lost in silence."""

from __future__ import annotations

import pytest

from monitor.completions import CompletionRequest
from monitor.completions.dialect import ENGINE, SGLANG, VLLM, Dialect, completion_body, dialect_of
from monitor.engine.requests import CompletionBody
from monitor.errors import CompletionRefused

FULL = CompletionRequest(
    prompt=(1, 2),
    max_tokens=9,
    min_tokens=2,
    seed=3,
    stop=("\n",),
    stop_ids=(7,),
    banned_ids=(4,),
    banned_first_ids=(5,),
    bad_words=("no",),
    watch=(7,),
)


@pytest.mark.parametrize("dialect", [ENGINE, VLLM, SGLANG])
def test_a_server_is_known_by_what_it_says_of_itself(dialect: Dialect) -> None:
    assert dialect_of(dialect.owned_by) == dialect


def test_every_parameter_of_the_engines_dialect_is_one_of_the_engine() -> None:
    assert ENGINE.parameters <= set(CompletionBody.model_fields)
    assert set(completion_body(FULL, ENGINE)) <= set(CompletionBody.model_fields)


def test_what_is_not_asked_for_is_not_sent() -> None:
    body = completion_body(CompletionRequest(prompt=(1,), max_tokens=2), VLLM)
    assert set(body) == {"prompt", "max_tokens", "temperature", "top_p", "seed", "logprobs", "return_token_ids"}


def test_the_engine_is_told_everything_at_once() -> None:
    body = completion_body(FULL, ENGINE)
    assert (body["banned_first_token_ids"], body["logit_bias"], body["min_tokens"]) == ([5], {"4": -100.0}, 2)
    assert (body["stop_token_ids"], body["stop"], body["bad_words"]) == ([7], ["\n"], ["no"])
    assert (body["logprob_token_ids"], body["return_tokens_as_token_ids"]) == ([7], True)


def test_ids_are_watched_only_where_the_server_tells_of_them() -> None:
    body = completion_body(CompletionRequest(prompt=(1,), max_tokens=2, watch=(7,)), SGLANG)
    assert not {"logprob_token_ids", "return_tokens_as_token_ids"} & set(body)


@pytest.mark.parametrize(
    ("dialect", "lacking"),
    [
        (VLLM, "banned_first_token_ids;"),
        (SGLANG, "banned_first_token_ids, bad_words;"),
        (dialect_of("openai"), "return_token_ids, min_tokens, stop_token_ids, banned_first_token_ids, bad_words;"),
    ],
)
def test_what_a_server_would_not_obey_is_refused_by_name(dialect: Dialect, lacking: str) -> None:
    with pytest.raises(CompletionRefused, match=f"'{dialect.owned_by}'.* does not know {lacking}"):
        completion_body(FULL, dialect)
