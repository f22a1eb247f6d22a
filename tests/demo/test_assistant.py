"""The demo's assistant as a process of its own, asked over HTTP and with OpenAI's client."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from openai import BadRequestError, OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionStreamOptionsParam

from monitor.demo.assistant import MODEL, create_app

MODULE = [sys.executable, "-m", "monitor.demo.assistant"]
# Starts the assistant, says its process id and port in one line, and waits.
PARENT = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
print(child.pid, child.stdout.readline().strip(), flush=True)
child.wait()
"""
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How long is a gift card valid?"}]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A running assistant's address."""
    process = subprocess.Popen([*MODULE, "--port", "0", "--print-port"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
async def app() -> AsyncIterator[httpx.AsyncClient]:
    """A fresh assistant in this process."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app()), base_url="http://shop") as client:
        yield client


def test_openai_s_client_gets_an_answer_with_its_usage(client: OpenAI) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=QUESTION)
    text = completion.choices[0].message.content
    assert text is not None and "five years" in text
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (7, len(text.split()))


def test_a_stream_is_the_same_answer_in_pieces(client: OpenAI) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=QUESTION).choices[0].message.content
    chunks = list(client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True))
    deltas = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(deltas) == whole
    assert len([delta for delta in deltas if delta]) > 10
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_stream_ends_with_the_usage_when_asked_for(client: OpenAI) -> None:
    asked_for: ChatCompletionStreamOptionsParam = {"include_usage": True}
    stream = client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True, stream_options=asked_for)
    chunks = list(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens == 7


def test_the_one_model_is_listed(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]


def test_openai_s_client_understands_a_refused_request(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="messages must hold a message of the user"):
        client.chat.completions.create(model=MODEL, messages=[])


async def test_it_says_that_it_is_well(app: httpx.AsyncClient) -> None:
    assert (await app.get("/health")).json() == {"status": "ok"}


async def test_a_deployment_changes_the_answers_and_a_rollback_brings_them_back(app: httpx.AsyncClient) -> None:
    async def answer() -> str:
        reply = await app.post("/v1/chat/completions", json={"messages": QUESTION})
        return str(reply.json()["choices"][0]["message"]["content"])

    good = await answer()
    assert (await app.post("/admin/deploy", json={"index": "broken"})).json() == {"index": "broken", "version": 2}
    assert await answer() != good
    await app.post("/admin/deploy", json={"index": "good"})
    assert (await app.get("/admin/version")).json() == {"index": "good", "version": 3}
    assert await answer() == good


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"[" * 200_000,
        b'{"messages": []}',
        b'{"messages": "hi"}',
        b'{"messages": ["hi"]}',
        b'{"messages": [{"role": "user", "content": " "}]}',
        b'{"messages": [{"role": "assistant", "content": "hi"}]}',
        b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
    ],
)
async def test_a_request_that_says_nothing_is_refused_in_openai_s_format(
    app: httpx.AsyncClient, content: bytes
) -> None:
    reply = await app.post("/v1/chat/completions", content=content)
    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert reply.json()["error"]["message"]


@pytest.mark.parametrize("body", [{}, {"index": "best"}, {"index": ["good"]}, {"index": None}])
async def test_an_index_that_does_not_exist_is_not_deployed(app: httpx.AsyncClient, body: dict[str, object]) -> None:
    reply = await app.post("/admin/deploy", json=body)
    assert (reply.status_code, reply.json()["error"]["message"]) == (400, "index must be one of: good, broken")
    assert (await app.get("/admin/version")).json()["version"] == 1


async def test_a_message_may_come_in_parts(app: httpx.AsyncClient) -> None:
    parts = [{"type": "text", "text": "How long is"}, {"type": "text", "text": "a gift card valid?"}]
    reply = await app.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": parts}]})
    assert "five years" in reply.json()["choices"][0]["message"]["content"]


async def test_an_unknown_path_is_an_error_in_openai_s_format(app: httpx.AsyncClient) -> None:
    reply = await app.get("/v1/nothing")
    assert (reply.status_code, reply.json()["error"]["message"]) == (404, "Not Found")


def test_the_port_file_names_a_port_that_answers(tmp_path: Path) -> None:
    file = tmp_path / "port"
    with subprocess.Popen([*MODULE, "--port-file", str(file), "--print-port"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        printed = int(process.stdout.readline())
        try:
            assert httpx.get(f"http://127.0.0.1:{printed}/health").status_code == 200
            assert int(file.read_text()) == printed
        finally:
            process.terminate()


def test_it_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, *MODULE, "--print-port"], stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout is not None
            child, port = map(int, parent.stdout.readline().split())
            watch = os.pidfd_open(child)
        finally:
            parent.kill()
    try:
        assert select.select([watch], [], [], 60)[0], "the assistant outlived its parent"
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(watch, signal.SIGKILL)
        os.close(watch)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/health")
