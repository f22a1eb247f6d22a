"""Several given continuations scored on one prefix, against the real process."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.test_process import metrics_of
from tests.fixtures.models import EngineChild

PREFIX = [1000 + place * 37 % 90000 for place in range(120)]
CONTINUATIONS = [[11, 12, 13], [21], [31, 32], [11, 12, 99, 100]]


def score(engine: EngineChild, prompts: list[list[int]], **more: object) -> list[dict[str, Any]]:
    body = {"prompt": prompts, "max_tokens": 1, "prompt_logprobs": 0, "temperature": 0, **more}
    answer = engine.client.post("/v1/completions", json=body)
    assert answer.status_code == 200, answer.text
    choices: list[dict[str, Any]] = answer.json()["choices"]
    assert [choice["index"] for choice in choices] == list(range(len(prompts)))
    return choices


def logprobs(choice: dict[str, Any], prompt: list[int]) -> list[float | None]:
    return [
        entry and entry[str(token)]["logprob"] for entry, token in zip(choice["prompt_logprobs"], prompt, strict=True)
    ]


@pytest.mark.parametrize("shared", [0, 1, 2, 119, 120])
def test_the_scores_are_those_of_each_continuation_alone(userlm_engine: EngineChild, shared: int) -> None:
    prompts = [[*PREFIX[:shared], *continuation] for continuation in CONTINUATIONS]
    together = score(userlm_engine, prompts)
    for prompt, choice in zip(prompts, together, strict=True):
        alone = userlm_engine.complete(prompt=prompt, max_tokens=1, prompt_logprobs=0, temperature=0)
        assert logprobs(choice, prompt) == pytest.approx(logprobs(alone, prompt), abs=1e-4)
        assert choice["token_ids"] == alone["token_ids"]


def test_a_prompt_that_is_the_beginning_of_the_others_is_scored_too(userlm_engine: EngineChild) -> None:
    prompts = [PREFIX, [*PREFIX, 5], [*PREFIX, 5, 6]]
    choices = score(userlm_engine, prompts)
    assert [len(choice["prompt_logprobs"]) for choice in choices] == [120, 121, 122]
    assert logprobs(choices[2], prompts[2])[:121] == pytest.approx(logprobs(choices[1], prompts[1]), abs=1e-4)


def test_the_shared_prefix_is_computed_once_and_everything_in_one_step(userlm_engine: EngineChild) -> None:
    prompts = [[7, *PREFIX, *continuation] for continuation in CONTINUATIONS]
    before = metrics_of(userlm_engine)
    score(userlm_engine, prompts, logprob_start_len=121)
    after = metrics_of(userlm_engine)
    grown = {name.removeprefix("assistant_monitor_engine_"): after[name] - before[name] for name in after}
    # The prefix but for its last token, which every continuation brings along: 120, and 4 + 2 + 3 + 5.
    assert grown["prefilled_tokens_total"] == 134
    assert grown["step_seconds_count"] == 1
    assert grown["requests_total:scored"] == 1


def test_a_conversation_that_is_there_already_is_not_computed_again(userlm_engine: EngineChild) -> None:
    history = [8, *PREFIX]
    userlm_engine.complete(prompt=history, max_tokens=1)
    body = {"prompt": [[*history, 1, 2], [*history, 3]], "max_tokens": 1, "prompt_logprobs": 0}
    answer = userlm_engine.client.post("/v1/completions", json={**body, "logprob_start_len": len(history)}).json()
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 120


def test_scores_begin_where_they_are_asked_for(userlm_engine: EngineChild) -> None:
    prompts = [[*PREFIX, 1, 2], [*PREFIX, 3]]
    whole, part = score(userlm_engine, prompts), score(userlm_engine, prompts, logprob_start_len=118)
    for prompt, one, other in zip(prompts, whole, part, strict=True):
        assert logprobs(other, prompt)[:118] == [None] * 118
        assert logprobs(other, prompt)[118:] == pytest.approx(logprobs(one, prompt)[118:], abs=1e-4)
    single = userlm_engine.complete(prompt=prompts[0], max_tokens=1, prompt_logprobs=0, logprob_start_len=118)
    assert logprobs(single, prompts[0])[117:] == pytest.approx(logprobs(part[0], prompts[0])[117:], abs=1e-4)


def test_more_continuations_than_a_step_scores_take_several(userlm_engine: EngineChild) -> None:
    prompts = [[9, *PREFIX, *([number + 40] * 30)] for number in range(40)]
    together = score(userlm_engine, prompts, logprob_start_len=121)
    last = userlm_engine.complete(prompt=prompts[-1], max_tokens=1, prompt_logprobs=0)
    assert logprobs(together[-1], prompts[-1])[121:] == pytest.approx(logprobs(last, prompts[-1])[121:], abs=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"max_tokens": 2}, "max_tokens 1"),
        ({"prompt_logprobs": None}, "prompt_logprobs"),
        ({"stream": True}, "without logprobs or stream"),
        ({"prompt": [[1]] * 65}, "at most 64"),
        ({"prompt": [[1], []]}, "prompt is empty"),
        ({"prompt": [[1], [2] * 600]}, "more than a step computes (512)"),
    ],
)
def test_what_cannot_be_scored_together_is_refused(
    userlm_engine: EngineChild, change: dict[str, object], said: str
) -> None:
    body = {"prompt": [[1], [2]], "max_tokens": 1, "prompt_logprobs": 0, **change}
    answer = userlm_engine.client.post("/v1/completions", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
