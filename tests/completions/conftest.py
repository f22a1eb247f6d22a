"""The servers that the contract is held against."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from monitor.completions import CompletionClient, CompletionRequest, ModelInfo, read_model_info
from monitor.http import HttpClient
from monitor.tokens import Vocabulary
from tests.fixtures.assistants import NO_TRUST
from tests.fixtures.models import END_OF_CONVERSATION, EngineChild
from tests.fixtures.vllm import VllmStandIn

VLLM_URL = "ASSISTANT_MONITOR_TEST_VLLM_URL"
TEXT = "The shop is open from nine to five on every day but Sunday. Shoes can be returned within"


@dataclass(frozen=True)
class Served:
    """A server with a client of it, and the words that its model has.

    `end` is an id that ends a text; `model` is what a pool must be told of it.
    """

    client: CompletionClient
    vocabulary: Vocabulary
    end: int
    max_context: int
    tells_cached: bool
    url: str
    socket: str | None = None
    model: ModelInfo | None = None

    @property
    def prompt(self) -> tuple[int, ...]:
        return tuple(self.vocabulary.plain(TEXT))

    def request(self, **changes: object) -> CompletionRequest:
        """Twelve tokens that the end does not cut short."""
        values: dict[str, object] = {"prompt": self.prompt, "max_tokens": 12, "seed": 5, "banned_ids": (self.end,)}
        return CompletionRequest(**(values | changes))  # type: ignore[arg-type]

    async def ids(self, **changes: object) -> tuple[int, ...]:
        return (await self.client.complete(self.request(**changes))).ids

    def spelling(self, ids: tuple[int, ...]) -> str | None:
        """Their text if it is plain letters and spaces that no other token could be a part of."""
        pieces = [self.vocabulary.decode([id_]) for id_ in ids]
        text = "".join(pieces)
        is_plain = all(piece.strip().isascii() and piece.strip().isalpha() for piece in pieces)
        return text if is_plain and self.vocabulary.decode(ids) == text else None


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(max_response_bytes=50_000_000, verify=NO_TRUST)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def userlm_info(userlm_folder: Path) -> ModelInfo:
    return read_model_info(userlm_folder, 2048)


@pytest.fixture(scope="session")
def userlm_vocabulary(userlm_info: ModelInfo) -> Vocabulary:
    return Vocabulary(userlm_info.tokenizer)


@pytest.fixture
async def engine(userlm_engine: EngineChild, userlm_vocabulary: Vocabulary) -> AsyncIterator[Served]:
    """Our engine in its own process."""
    socket = str(userlm_engine.socket)
    http = HttpClient(socket=socket, max_response_bytes=50_000_000, verify=NO_TRUST)
    yield Served(
        client=CompletionClient(http, "http://engine"),
        vocabulary=userlm_vocabulary,
        end=END_OF_CONVERSATION,
        max_context=2048,
        tells_cached=True,
        url="http://engine",
        socket=socket,
    )
    await http.aclose()


@pytest.fixture
def stand_in(
    vllm_stand_in: VllmStandIn, userlm_vocabulary: Vocabulary, userlm_info: ModelInfo, http: HttpClient
) -> Served:
    """What answers as vLLM documents."""
    return Served(
        client=CompletionClient(http, vllm_stand_in.url),
        vocabulary=userlm_vocabulary,
        end=END_OF_CONVERSATION,
        max_context=2048,
        tells_cached=False,
        url=vllm_stand_in.url,
        model=userlm_info,
    )


@pytest.fixture
def vllm(http: HttpClient) -> Served:
    """A real vLLM on this machine whose model is a folder; its generation settings must be vLLM's own."""
    if VLLM_URL not in os.environ:
        pytest.skip(f"{VLLM_URL} names no running vLLM")
    url = os.environ[VLLM_URL].rstrip("/")
    card = httpx.get(f"{url}/v1/models", trust_env=False).json()["data"][0]
    folder = Path(card["root"])
    return Served(
        client=CompletionClient(http, url),
        vocabulary=Vocabulary(json.loads((folder / "tokenizer.json").read_text())),
        end=json.loads((folder / "config.json").read_text())["eos_token_id"],
        max_context=card["max_model_len"],
        tells_cached=False,
        url=url,
        model=read_model_info(folder, card["max_model_len"]),
    )


@pytest.fixture(params=["engine", "stand_in", "vllm"])
def served(request: pytest.FixtureRequest) -> Served:
    """Each of them."""
    found: Served = request.getfixturevalue(request.param)
    return found
