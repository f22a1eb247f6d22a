"""Client of one completions server: our engine, vLLM, SGLang, anything that takes OpenAI's protocol with vLLM's
parameters. It sends token ids, never text to be tokenised again, each request once; what follows a failure is decided
elsewhere (`pool`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.completions import two_calls
from monitor.completions.answer import Answer, read_answer, read_scores
from monitor.completions.contract import Completion, CompletionRequest, ModelInfo
from monitor.completions.dialect import BANNED_FIRST, Dialect, completion_body, dialect_of, require
from monitor.errors import CompletionFailure, CompletionRefused, CompletionUnavailable, HttpFailure
from monitor.http import HttpClient, HttpResponse

BUSY = 429
AWAY_STATUSES = frozenset({502, 503})
FAILED_STATUSES = frozenset({408, 425, 500, 504})
UNUSABLE_STATUSES = frozenset({401, 403, 404})
"""What is wrong is the address, the key or the model's name: no request will be answered."""
REQUESTS_OWN = frozenset({"deadline", "too_large"})
"""What may be wrong with one request's answer only; whether the server is there the next probe tells."""
PROBE_SECONDS = 10.0
PROMPTS_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCard:
    """What a server says of itself. `max_context` is in tokens, None where it does not tell."""

    dialect: Dialect
    max_context: int | None


class CompletionClient:
    """Speaks to one server. `base_url` ends before `/v1`; over a Unix socket its host name is never looked up.

    `kind`: what the server is (`dialect`), in place of what it says of itself. `is_answered`: whether the newest
    request was answered as a server does that can be used; None before the first.
    """

    def __init__(
        self,
        http: HttpClient,
        base_url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        kind: str | None = None,
        deadline_seconds: float = 120.0,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._kind = kind
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._deadline_seconds = deadline_seconds
        self._card: ServerCard | None = None
        self.is_answered: bool | None = None

    async def complete(self, request: CompletionRequest) -> Completion:
        """Sample one continuation. Raises CompletionUnavailable or CompletionRefused."""
        dialect = await self._dialect()
        if not request.banned_first_ids or dialect.knows(BANNED_FIRST):
            return (await self._sample(request, dialect)).completion()
        answer = await self._sample(two_calls.first_call(request), dialect)
        if not two_calls.is_whole(request, answer):
            rest = await self._sample(two_calls.second_call(request, answer), dialect)
            answer = two_calls.joined(request, answer, rest)
        return answer.completion()

    async def score(
        self, prefix: Sequence[int], continuations: Sequence[Sequence[int]], *, conversation: str = ""
    ) -> list[float]:
        """The summed natural log-probability of each continuation after `prefix`. Raises as `complete` does."""
        dialect = await self._dialect()
        require(dialect, "prompt_logprobs")
        start = {"logprob_start_len": len(prefix)} if dialect.knows("logprob_start_len") else {}
        scores: list[float] = []
        for at in range(0, len(continuations), PROMPTS_AT_ONCE):
            some = continuations[at : at + PROMPTS_AT_ONCE]
            prompts = [[*prefix, *ids] for ids in some]
            body = {"prompt": prompts, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0} | start
            scores += read_scores(await self._post(body, conversation), len(prefix), some)
        return scores

    async def model_info(self) -> ModelInfo:
        """Read the tokenizer and the chat template from our engine. Raises as `complete` does."""
        answer = await self._exchange("GET", "/v1/tokenizer", deadline_seconds=self._deadline_seconds)
        try:
            return ModelInfo(
                name=answer["model"],
                tokenizer=answer["tokenizer"],
                chat_template=answer["chat_template"],
                end_ids=tuple(answer["special"]["eos"]),
                max_context=int(answer["max_context"]),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise CompletionRefused(f"the server's /v1/tokenizer is not understood: {exc!r}") from exc

    async def identify(self) -> ServerCard:
        """Ask the server what it is. Raises as `complete` does."""
        content = await self._exchange("GET", "/v1/models", deadline_seconds=PROBE_SECONDS)
        try:
            cards = content["data"]
            card = next((card for card in cards if card["id"] == self._model), cards[0])
            length = card.get("max_model_len")
            self._card = ServerCard(
                dialect=dialect_of(self._kind or str(card.get("owned_by"))),
                max_context=None if length is None else int(length),
            )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as exc:
            self.is_answered = False
            raise CompletionRefused(f"the server's /v1/models is not understood: {exc!r}", is_away=True) from exc
        return self._card

    async def probe(self) -> None:
        """Ask whether the server is there at all; `is_answered` says so."""
        with contextlib.suppress(CompletionFailure):
            await self.identify()

    def forget(self, conversation: str) -> None:
        """Nothing is kept here."""

    async def _dialect(self) -> Dialect:
        return (self._card or await self.identify()).dialect

    async def _sample(self, request: CompletionRequest, dialect: Dialect) -> Answer:
        content = await self._post(completion_body(request, dialect), request.conversation)
        return read_answer(content, dialect, request.watch)

    async def _post(self, body: dict[str, Any], conversation: str) -> Any:
        if self._model:
            body = body | {"model": self._model}
        # Ray Serve sends the requests of one session to one replica.
        session = {"x-session-id": conversation} if conversation else {}
        return await self._exchange(
            "POST", "/v1/completions", body=body, headers=session, deadline_seconds=self._deadline_seconds
        )

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        deadline_seconds: float,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        try:
            response = await self._http.request(
                method,
                self._base_url + path,
                deadline_seconds=deadline_seconds,
                headers=self._headers | (headers or {}),
                json=body,
            )
            self.is_answered = response.status < 500 and response.status not in UNUSABLE_STATUSES
            if response.status != 200:
                raise _failure(response)
            return response.json()
        except HttpFailure as exc:
            self.is_answered = False
            is_away = exc.kind not in REQUESTS_OWN
            raise CompletionUnavailable(f"the model's server did not answer: {exc}", is_away=is_away) from exc


def _failure(response: HttpResponse) -> CompletionUnavailable | CompletionRefused:
    text = f"the model's server answered HTTP {response.status}: {response.text()[:300]}"
    if response.status in AWAY_STATUSES:
        return CompletionUnavailable(text, is_away=True)
    if response.status in FAILED_STATUSES or response.status == BUSY:
        return CompletionUnavailable(text)
    return CompletionRefused(text, is_away=response.status in UNUSABLE_STATUSES)
