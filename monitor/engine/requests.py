"""The bodies of the requests: which parameters exist and what they may hold. Knows nothing of tokens or the model.

Parameters are OpenAI's; beyond those vLLM's, by the same names. `logprob_start_len` is SGLang's: prompt log-
probabilities begin with that token. Ours alone is `banned_first_token_ids`: ids that must not be the first generated
token. A parameter that is not named here is refused with its name. Those that this engine cannot honour (`n`, `echo`,
the penalties and the like) are taken only at the value that means "off".
"""

from __future__ import annotations

import json
from typing import Annotated, Literal, Never, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from monitor.engine.refusal import Refusal

MAX_PROMPTS = 64
Off = Annotated[float, Field(ge=0, le=0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
TokenIds = Annotated[list[Count], Field(max_length=1024)]


class StreamOptions(BaseModel):
    """What a stream carries beside its text."""

    model_config = ConfigDict(extra="forbid", strict=True)
    include_usage: bool = False
    continuous_usage_stats: Literal[False] = False


class Body(BaseModel):
    """What completions and chat have in common."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    model: str | None = None
    max_tokens: Positive | None = None
    temperature: Annotated[float, Field(ge=0, le=100)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    user: str | None = None
    n: Literal[1] | None = None
    presence_penalty: Off | None = None
    frequency_penalty: Off | None = None
    repetition_penalty: Annotated[float, Field(ge=1, le=1)] | None = None
    min_p: Off | None = None
    min_tokens: Count | None = None
    stop_token_ids: TokenIds | None = None
    ignore_eos: bool | None = None
    bad_words: Annotated[list[str], Field(max_length=256)] | None = None
    allowed_token_ids: list[Count] | None = None
    banned_first_token_ids: TokenIds | None = None
    logprob_token_ids: TokenIds | None = None
    prompt_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    logprob_start_len: Annotated[int, Field(ge=-1)] | None = None
    return_token_ids: bool | None = None
    return_tokens_as_token_ids: bool | None = None
    skip_special_tokens: bool | None = None

    @property
    def top_count(self) -> int | None:
        """How many of the most probable tokens to report at each position; None: no log-probabilities."""
        raise NotImplementedError

    @property
    def token_limit(self) -> int | None:
        """The most tokens to generate; None when the request leaves it open."""
        return self.max_tokens


class CompletionBody(Body):
    """`POST /v1/completions`."""

    prompt: str | list[Count] | list[str] | list[list[Count]]
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    add_special_tokens: bool | None = None
    echo: Literal[False] | None = None
    best_of: Literal[1] | None = None
    suffix: None = None

    @property
    def top_count(self) -> int | None:
        """As in `Body`."""
        return 0 if self.logprobs is None and self.logprob_token_ids else self.logprobs

    def single_prompt(self) -> str | list[int] | None:
        """The one prompt of the request; None when it holds several. Raises Refusal when it holds none."""
        if isinstance(self.prompt, str):
            return self.prompt
        if not self.prompt:
            raise Refusal("prompt is empty", param="prompt")
        ids = [token for token in self.prompt if isinstance(token, int)]
        return ids if len(ids) == len(self.prompt) else None

    def scored_prompts(self) -> list[str | list[int]]:
        """Several prompts, to be scored together. Raises Refusal when anything else is asked of them."""
        if self.prompt_logprobs is None or self.token_limit != 1 or self.stream or self.top_count is not None:
            text = "several prompts in one request are scored together: give prompt_logprobs and max_tokens 1, "
            text += "without logprobs or stream; to have them continued send a request for each"
            raise Refusal(text, param="prompt")
        if len(self.prompt) > MAX_PROMPTS:
            raise Refusal(f"{len(self.prompt)} prompts in one request; at most {MAX_PROMPTS}", param="prompt")
        return [prompt for prompt in self.prompt if isinstance(prompt, str | list)]


class TextPart(BaseModel):
    """A piece of a message's content."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(extra="forbid", strict=True)
    role: Literal["system", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None

    def plain(self) -> dict[str, str]:
        """Role and text alone."""
        parts = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": self.role, "content": parts}


class ChatBody(Body):
    """`POST /v1/chat/completions`."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Positive | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None

    @property
    def top_count(self) -> int | None:
        """As in `Body`."""
        return (self.top_logprobs or 0) if self.logprobs or self.logprob_token_ids else None

    @property
    def token_limit(self) -> int | None:
        """As in `Body`, under either of its names."""
        return self.max_completion_tokens or self.max_tokens


AnyBody = TypeVar("AnyBody", bound=Body)


def parse(kind: type[AnyBody], content: bytes) -> AnyBody:
    """The request of the given kind. Raises Refusal naming the parameter at fault."""
    try:
        value = json.loads(content, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
        body = kind.model_validate(value)
    except (ValueError, RecursionError) as exc:
        raise _refusal_of(exc) from exc
    if body.stream_options is not None and not body.stream:
        raise Refusal("stream_options needs stream", param="stream_options")
    return body


def _refusal_of(exc: ValueError | RecursionError) -> Refusal:
    if not isinstance(exc, ValidationError):
        return Refusal(f"the body is not valid JSON: {exc}", code="invalid_json")
    # Alternatives of a union are all reported; the first is the one that the parameter is documented with.
    first = exc.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else None
    if first["type"] == "extra_forbidden":
        return Refusal(f"unknown parameter: {'.'.join(map(str, first['loc']))}", param=name, code="unknown_parameter")
    if name is None:
        return Refusal(f"the body must be a JSON object: {first['msg']}")
    return Refusal(f"{name}: {first['msg']}", param=name, code="invalid_value")


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"duplicate key {next(name for name in names if names.count(name) > 1)!r}")
    return value


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
