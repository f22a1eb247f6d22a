"""The real client of OpenAI's protocol talks to the engine."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.fixtures.models import EngineChild


@pytest.fixture
def client(userlm_engine: EngineChild) -> Iterator[openai.OpenAI]:
    transport = httpx2.HTTPTransport(uds=str(userlm_engine.socket))
    with httpx2.Client(transport=transport) as http:
        yield openai.OpenAI(base_url="http://engine/v1", api_key="none", http_client=http, max_retries=0)


def test_it_lists_the_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["userlm"]


def test_it_completes(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="userlm", prompt=[9906], max_tokens=3, logprobs=2, seed=1)
    assert answer.usage is not None and answer.usage.completion_tokens == 3
    assert answer.choices[0].logprobs is not None
    assert len(answer.choices[0].logprobs.tokens or []) == 3


def test_its_stream_adds_up_to_the_whole_text(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="userlm", prompt=[9906], max_tokens=20, seed=2)
    stream = client.completions.create(
        model="userlm", prompt=[9906], max_tokens=20, seed=2, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].text
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == 20
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == whole.choices[0].finish_reason


def test_it_chats(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="userlm", messages=[{"role": "user", "content": "hi"}], max_completion_tokens=3, logprobs=True, seed=3
    )
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].logprobs is not None


def test_its_chat_stream_adds_up(client: openai.OpenAI) -> None:
    asked: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
    whole = client.chat.completions.create(model="userlm", messages=asked, max_tokens=12, seed=3)
    chunks = client.chat.completions.create(model="userlm", messages=asked, max_tokens=12, seed=3, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.choices[0].message.content


def test_its_own_errors_are_raised(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="unknown parameter: foo"):
        client.completions.create(model="userlm", prompt="a", extra_body={"foo": 1})
