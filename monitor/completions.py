"""Client of a completions server: our engine, vLLM, SGLang, anything that takes OpenAI's protocol with vLLM's
parameters. It sends token ids, never text to be tokenised again, and knows nothing of conversations.

A request that fails because the server is away is sent once more, unchanged (same seed), after `recover` has been
awaited; a second failure is the caller's.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.errors import CompletionFailure, CompletionRefused, CompletionUnavailable, EngineFailure, HttpFailure
from monitor.http import HttpClient, HttpResponse

TRIES = 2
RETRYABLE_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
LOGIT_BAN = -100.0
PROBE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One continuation of `prompt` (token ids). `watch`: ids whose log-probability at the first place is wanted."""

    prompt: Sequence[int]
    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    stop_ids: tuple[int, ...] = ()
    banned_ids: tuple[int, ...] = ()
    banned_first_ids: tuple[int, ...] = ()
    bad_words: tuple[str, ...] = ()
    watch: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the server sampled: text and ids without the stop, and natural log-probabilities per token.

    `stopped_by` is the id or the text that ended it, None when it ran into `max_tokens`; `watched` maps the watched
    ids to their log-probability as the first token, before any mask (absent: the server gave none).
    """

    text: str
    ids: tuple[int, ...]
    stopped_by: int | str | None
    is_finished: bool
    log_likelihood: float | None
    watched: Mapping[int, float] = field(default_factory=dict)
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """What the server says of its model: name, `tokenizer.json`, chat template, ids that end a text, window."""

    name: str
    tokenizer: Mapping[str, Any]
    chat_template: str | None
    end_ids: tuple[int, ...]
    max_context: int


def read_model_info(folder: Path, max_context: int) -> ModelInfo:
    """What a folder of a model says, for servers that do not hand it out. Raises EngineFailure when it lacks parts."""
    try:
        tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        settings = _read_json(folder / "tokenizer_config.json")
        template_file = folder / "chat_template.jinja"
        template = template_file.read_text(encoding="utf-8") if template_file.exists() else None
    except (OSError, ValueError) as exc:
        raise EngineFailure(f"the folder {folder} is no model's: it needs a tokenizer.json ({exc})") from exc
    ends: set[int] = set()
    for name in ("config.json", "generation_config.json"):
        stated = _read_json(folder / name).get("eos_token_id")
        ends.update(stated if isinstance(stated, list) else [] if stated is None else [stated])
    return ModelInfo(
        name=folder.name,
        tokenizer=tokenizer,
        chat_template=template or settings.get("chat_template"),
        end_ids=tuple(sorted(ends)),
        max_context=max_context,
    )


def _read_json(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found if isinstance(found, dict) else {}


async def _no_recovery() -> None:
    return None


class CompletionClient:
    """Speaks to one server. `base_url` ends before `/v1`; over a Unix socket its host name is never looked up.

    `is_answered`: whether the server answered the newest request, if only to refuse it; None before the first one.
    """

    def __init__(
        self,
        http: HttpClient,
        base_url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        deadline_seconds: float = 120.0,
        recover: Callable[[], Awaitable[None]] = _no_recovery,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._deadline_seconds = deadline_seconds
        self._recover = recover
        self.is_answered: bool | None = None

    async def complete(self, request: CompletionRequest) -> Completion:
        """Sample one continuation. Raises CompletionUnavailable or CompletionRefused."""
        body = _body(request) | ({"model": self._model} if self._model else {})
        return _completion(await self._ask("POST", "/v1/completions", body), request)

    async def score(self, prefix: Sequence[int], continuation: Sequence[int]) -> float:
        """The summed natural log-probability of `continuation` after `prefix`. Raises as `complete` does."""
        body: dict[str, Any] = {
            "prompt": [*prefix, *continuation],
            "max_tokens": 1,
            "temperature": 0.0,
            "prompt_logprobs": 0,
        } | ({"model": self._model} if self._model else {})
        answer = await self._ask("POST", "/v1/completions", body)
        try:
            entries = answer["choices"][0]["prompt_logprobs"][len(prefix) :]
            values = [entry[str(id_)]["logprob"] for entry, id_ in zip(entries, continuation, strict=True)]
            return math.fsum(values)
        except (KeyError, IndexError, TypeError, ValueError) as exc:
            raise CompletionRefused("the server gave no log-probabilities of the prompt") from exc

    async def model_info(self) -> ModelInfo:
        """Read the tokenizer and the chat template from our engine. Raises as `complete` does."""
        answer = await self._ask("GET", "/v1/tokenizer", None)
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

    async def probe(self) -> None:
        """Ask whether the server is there at all; `is_answered` says so."""
        with contextlib.suppress(CompletionFailure):
            await self._exchange("GET", "/v1/models", None, PROBE_SECONDS)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        for left in reversed(range(TRIES)):
            try:
                return await self._exchange(method, path, body, self._deadline_seconds)
            except CompletionUnavailable:
                if not left:
                    raise
                await self._recover()
        raise AssertionError("unreachable")

    async def _exchange(self, method: str, path: str, body: dict[str, Any] | None, deadline_seconds: float) -> Any:
        try:
            response = await self._http.request(
                method,
                self._base_url + path,
                deadline_seconds=deadline_seconds,
                headers=self._headers,
                json=body,
            )
            self.is_answered = response.status < 500
            if response.status != 200:
                raise _failure(response)
            return response.json()
        except HttpFailure as exc:
            self.is_answered = False
            raise CompletionUnavailable(f"the model's server did not answer: {exc}") from exc


def _body(request: CompletionRequest) -> dict[str, Any]:
    """The request in vLLM's words; what is not asked for is not sent."""
    body: dict[str, Any] = {
        "prompt": list(request.prompt),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "logprobs": 0,
        "return_token_ids": True,
    }
    optional: dict[str, Any] = {
        "stop": list(request.stop),
        "stop_token_ids": list(request.stop_ids),
        "logit_bias": {str(id_): LOGIT_BAN for id_ in request.banned_ids},
        "banned_first_token_ids": list(request.banned_first_ids),
        "bad_words": list(request.bad_words),
        "logprob_token_ids": list(request.watch),
    }
    return body | {name: value for name, value in optional.items() if value}


def _completion(answer: Any, request: CompletionRequest) -> Completion:
    try:
        choice = answer["choices"][0]
        logprobs = choice.get("logprobs") or {}
        values = [value for value in logprobs.get("token_logprobs") or () if value is not None]
        usage = answer.get("usage") or {}
        return Completion(
            text=choice["text"],
            ids=_without_stop(choice["token_ids"], request.stop_ids),
            stopped_by=choice.get("stop_reason"),
            is_finished=choice["finish_reason"] == "stop",
            log_likelihood=math.fsum(values) if values else None,
            watched=_watched(logprobs, request.watch),
            cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
        )
    except (KeyError, IndexError, TypeError, ValueError) as exc:
        raise CompletionUnavailable(f"the model's server answered in a form that is not understood: {exc!r}") from exc


def _without_stop(ids: Sequence[int], stop_ids: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(ids[:-1] if ids and ids[-1] in stop_ids else ids)


def _watched(logprobs: Mapping[str, Any], watch: tuple[int, ...]) -> dict[int, float]:
    first = (logprobs.get("top_logprobs") or [{}])[0] or {}
    return {id_: first[f"token_id:{id_}"] for id_ in watch if f"token_id:{id_}" in first}


def _failure(response: HttpResponse) -> CompletionUnavailable | CompletionRefused:
    text = f"the model's server answered HTTP {response.status}: {response.text()[:300]}"
    return CompletionUnavailable(text) if response.status in RETRYABLE_STATUSES else CompletionRefused(text)
