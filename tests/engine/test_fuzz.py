"""Whatever is sent, the engine answers in OpenAI's form and goes on."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.requests import ChatBody, CompletionBody
from tests.fixtures.models import EngineChild

numbers = st.one_of(
    st.integers(-3, 10), st.sampled_from([2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308]), st.floats(-2, 2)
)
ids = st.lists(st.integers(-1, 130_000), max_size=12)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=8), ids, st.lists(ids, max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=6,
)
likely = st.one_of(
    st.fixed_dictionaries({"prompt": st.one_of(ids, st.lists(ids, min_size=1, max_size=4), st.text(max_size=30))}),
    st.fixed_dictionaries(
        {
            "messages": st.lists(
                st.fixed_dictionaries(
                    {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": st.text(max_size=30)}
                ),
                max_size=3,
            )
        }
    ),
)


def parameters(kind: type[CompletionBody] | type[ChatBody]) -> st.SearchStrategy[dict[str, object]]:
    """A few of the parameters that exist, holding anything."""
    names = sorted(set(kind.model_fields) - {"prompt", "messages", "max_tokens", "max_completion_tokens"})
    return st.dictionaries(st.sampled_from([*names, "unheard_of"]), values, max_size=3)


def assert_answered(engine: EngineChild, path: str, content: bytes) -> None:
    answer = engine.client.post(path, content=content)
    assert answer.status_code in (200, 400, 404, 413), answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        assert answer.text.endswith("data: [DONE]\n\n")
    elif answer.status_code == 200:
        assert answer.json()["choices"]
    else:
        error = answer.json()["error"]
        assert error["message"] and set(error) == {"message", "type", "param", "code"}


@settings(max_examples=150)
@given(body=likely, more=parameters(CompletionBody), limit=st.sampled_from([1, 3]), chat=st.booleans())
def test_any_parameters_are_answered(
    userlm_engine: EngineChild, body: dict[str, object], more: dict[str, object], limit: int, *, chat: bool
) -> None:
    path = "/v1/chat/completions" if chat else "/v1/completions"
    assert_answered(userlm_engine, path, json.dumps({**body, **more, "max_tokens": limit}).encode())


@settings(max_examples=80)
@given(content=st.one_of(st.binary(max_size=60), values.map(lambda value: json.dumps(value).encode())))
@pytest.mark.parametrize("path", ["/v1/completions", "/v1/chat/completions"])
def test_any_body_is_answered(userlm_engine: EngineChild, path: str, content: bytes) -> None:
    assert_answered(userlm_engine, path, content)


@settings(max_examples=40)
@given(sent=st.one_of(st.binary(max_size=80), st.binary(max_size=40).map(lambda tail: b"POST /v1/completions " + tail)))
def test_what_is_not_http_is_dropped_and_the_engine_goes_on(userlm_engine: EngineChild, sent: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(str(userlm_engine.socket))
        peer.sendall(sent + b"\r\n\r\n")
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(4096):
            pass
    assert userlm_engine.client.get("/health").status_code == 200
