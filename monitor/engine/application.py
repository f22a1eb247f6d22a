"""The engine's HTTP interface: OpenAI's routes, the tokenizer, health and metrics. Knows nothing of torch.

A request may carry the header `X-Deadline-Seconds`: it is answered 504 when it did not end by then. A client that
disconnects cancels its request. Errors have OpenAI's form; 429 comes with Retry-After.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.engine.answers import Answer
from monitor.engine.exchange import CLIENT_GONE, Mailbox, answer_scores, answer_stream, answer_whole
from monitor.engine.generation import Generation, Scoring, branches_of
from monitor.engine.measures import Measures
from monitor.engine.owner import Owner
from monitor.engine.refusal import Refusal, too_long
from monitor.engine.requests import Body, ChatBody, CompletionBody, parse
from monitor.engine.sampling import Sampling, sampling_of
from monitor.engine.settings import EngineSettings
from monitor.engine.vocabulary import RunningText, Vocabulary

MAX_BODY_BYTES = 8_000_000
DEFAULT_COMPLETION_TOKENS = 16
RETRY_AFTER_SECONDS = 1

AnyBody = TypeVar("AnyBody", bound=Body)
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Application:
    """The routes over one running engine; `max_context` is in tokens."""

    settings: EngineSettings
    vocabulary: Vocabulary
    max_context: int
    owner: Owner
    measures: Measures

    def starlette(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/completions", self._counted(self.completions), methods=["POST"]),
                Route("/v1/chat/completions", self._counted(self.chat), methods=["POST"]),
                Route("/v1/models", self.models),
                Route("/v1/tokenizer", self.tokenizer),
                Route("/health", self.health),
                Route("/metrics", self.metrics),
            ],
            exception_handlers={HTTPException: _unrouted},
        )

    async def completions(self, request: Request) -> Response:
        """`POST /v1/completions`."""
        body = await self._body(request, CompletionBody)
        prompt = body.single_prompt()
        if prompt is None:
            return await self._score(request, body, [self._ids(one, body) for one in body.scored_prompts()])
        return await self._generate(
            request, body, self._ids(prompt, body), body.token_limit or DEFAULT_COMPLETION_TOKENS
        )

    async def chat(self, request: Request) -> Response:
        """`POST /v1/chat/completions`."""
        body = await self._body(request, ChatBody)
        prompt = self.vocabulary.encode_chat([message.plain() for message in body.messages])
        return await self._generate(request, body, prompt, body.token_limit or max(self.max_context - len(prompt), 1))

    async def models(self, _: Request) -> Response:
        """`GET /v1/models`."""
        entry = {"id": self.settings.name, "object": "model", "created": 0, "owned_by": "assistant-monitor"}
        return JSONResponse({"object": "list", "data": [{**entry, "max_model_len": self.max_context}]})

    async def tokenizer(self, _: Request) -> Response:
        """`GET /v1/tokenizer`: all that a client needs to build token ids itself."""
        content = self.vocabulary.as_json(self.settings.name, self.max_context)
        return Response(json.dumps(content), media_type="application/json")

    async def health(self, _: Request) -> Response:
        """`GET /health`: the engine listens only after its self-test, so only a hanging step is unhealthy."""
        stuck = self.owner.seconds_without_progress()
        return JSONResponse(
            {"step_seconds": round(stuck, 3)}, 503 if stuck > self.settings.no_progress_seconds else 200
        )

    async def metrics(self, _: Request) -> Response:
        """`GET /metrics`."""
        return Response(self.measures.text(), media_type=CONTENT_TYPE_LATEST)

    def _counted(self, route: Endpoint) -> Endpoint:
        """The route with its refusals answered, and those counted that never reached the engine."""

        async def answered(request: Request) -> Response:
            try:
                return await route(request)
            except ClientDisconnect:
                return Response(status_code=CLIENT_GONE)
            except Refusal as refusal:
                if refusal.status in (400, 404, 413, 429) and refusal.code != "nothing_possible":
                    self.measures.requests.labels("refused").inc()
                return _refused(refusal)

        return answered

    async def _body(self, request: Request, kind: type[AnyBody]) -> AnyBody:
        content = bytearray()
        async for piece in request.stream():
            content += piece
            if len(content) > MAX_BODY_BYTES:
                raise Refusal(f"the body is longer than {MAX_BODY_BYTES} bytes", status=413, code="body_too_large")
        body = parse(kind, bytes(content))
        if body.model not in (None, self.settings.name, self.settings.model):
            text = f"the model {body.model!r} is not served here, {self.settings.name!r} is"
            raise Refusal(text, status=404, param="model", code="model_not_found")
        return body

    def _ids(self, prompt: str | list[int], body: CompletionBody) -> list[int]:
        if isinstance(prompt, str):
            return self.vocabulary.encode(prompt, add_special_tokens=body.add_special_tokens is not False)
        return prompt

    def _checked(self, body: Body, prompt: list[int], max_tokens: int) -> Sampling:
        if not prompt:
            raise Refusal("prompt is empty", param="prompt")
        if (highest := max(prompt)) >= self.vocabulary.size:
            raise Refusal(f"{highest} is not a token id of this model", param="prompt")
        if len(prompt) + max_tokens > self.max_context:
            raise too_long(len(prompt), max_tokens, self.max_context)
        return sampling_of(body, self.vocabulary, max_tokens=max_tokens, fresh_seed=secrets.randbits(63))

    async def _generate(self, request: Request, body: Body, prompt: list[int], max_tokens: int) -> Response:
        sampling = self._checked(body, prompt, max_tokens)
        mail = Mailbox()
        generation = Generation(
            prompt=tuple(prompt),
            sampling=sampling,
            text=RunningText(self.vocabulary, sampling.stop, skip_special_tokens=sampling.skip_special_tokens),
            deliver=mail.deliver,
            deadline=self._deadline(request),
            stream=bool(body.stream),
        )
        answer = self._answer(body, prompt, sampling)
        if not body.stream:
            return await answer_whole(request, self.owner, generation, mail, answer)
        usage = body.stream_options is not None and body.stream_options.include_usage
        return await answer_stream(request, self.owner, generation, mail, answer, with_usage=usage)

    async def _score(self, request: Request, body: CompletionBody, prompts: list[list[int]]) -> Response:
        samplings = [self._checked(body, prompt, 1) for prompt in prompts]
        shared, branches = branches_of(prompts)
        if (longest := max(map(len, branches))) > self.settings.max_batch_tokens:
            text = f"{longest} tokens that the prompts do not share are more than a step computes"
            raise Refusal(f"{text} ({self.settings.max_batch_tokens}): send a request for each", param="prompt")
        mail = Mailbox()
        scoring = Scoring(
            prompt=shared,
            sampling=samplings[0],
            deliver=mail.deliver,
            deadline=self._deadline(request),
            branches=branches,
        )
        answers = [self._answer(body, prompt, samplings[0]) for prompt in prompts]
        return await answer_scores(request, self.owner, scoring, mail, answers)

    def _deadline(self, request: Request) -> float:
        return time.monotonic() + min(_deadline_seconds(request), self.settings.request_seconds)

    def _answer(self, body: Body, prompt: list[int], sampling: Sampling) -> Answer:
        return Answer(
            model=self.settings.name,
            vocabulary=self.vocabulary,
            prompt=tuple(prompt),
            sampling=sampling,
            is_chat=isinstance(body, ChatBody),
            with_prompt_ids=bool(body.return_token_ids),
            as_token_ids=bool(body.return_tokens_as_token_ids),
        )


def _deadline_seconds(request: Request) -> float:
    given = request.headers.get("x-deadline-seconds", "inf")
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        raise Refusal("X-Deadline-Seconds must be a number above 0", param="X-Deadline-Seconds")
    return seconds


def _refused(refusal: Refusal) -> Response:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if refusal.status == 429 else None
    return JSONResponse(refusal.body(), refusal.status, headers)


async def _unrouted(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    return _refused(Refusal(str(exc.detail), status=exc.status_code))
