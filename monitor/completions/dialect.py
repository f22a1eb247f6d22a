"""What a kind of server understands beyond OpenAI's completions, and a request in its words.

Sources: this project's `engine/requests.py`; vLLM 0.32 `entrypoints/openai/completion/protocol.py`; SGLang
`srt/entrypoints/openai/protocol.py`. Each says which it is by `owned_by` in `GET /v1/models`. vLLM and SGLang ignore
what they do not know without a word, so a parameter is sent only to those that are known to obey it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from monitor.completions.contract import CompletionRequest
from monitor.errors import CompletionRefused

LOGIT_BAN = -100.0
BANNED_FIRST = "banned_first_token_ids"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """`parameters`: those beyond OpenAI's that are obeyed; `stop_field`: where the answer says what ended it."""

    owned_by: str
    parameters: frozenset[str] = frozenset()
    stop_field: str = "stop_reason"
    has_tokenizer: bool = False

    def knows(self, parameter: str) -> bool:
        """Whether the server obeys this parameter."""
        return parameter in self.parameters


_SHARED = frozenset({"min_tokens", "stop_token_ids", "return_token_ids"})
_VLLM = _SHARED | {"bad_words", "prompt_logprobs", "logprob_token_ids", "return_tokens_as_token_ids"}

ENGINE = Dialect(
    owned_by="assistant-monitor", parameters=_VLLM | {BANNED_FIRST, "logprob_start_len"}, has_tokenizer=True
)
VLLM = Dialect(owned_by="vllm", parameters=_VLLM)
SGLANG = Dialect(owned_by="sglang", parameters=_SHARED, stop_field="matched_stop")


def dialect_of(owned_by: str) -> Dialect:
    """The dialect of a server that says this of itself; of an unknown one, OpenAI's parameters and nothing else."""
    known = {dialect.owned_by: dialect for dialect in (ENGINE, VLLM, SGLANG)}
    return known.get(owned_by, Dialect(owned_by=owned_by))


def completion_body(request: CompletionRequest, dialect: Dialect) -> dict[str, Any]:
    """The request in the server's words; what is not asked for is not sent.

    Ids to watch are left out where the server cannot tell about them: what comes of them is then absent. Raises
    CompletionRefused for every other parameter that the server does not obey.
    """
    watched = request.watch if dialect.knows("logprob_token_ids") else ()
    beyond: dict[str, Any] = {
        "return_token_ids": True,
        "min_tokens": request.min_tokens,
        "stop_token_ids": list(request.stop_ids),
        BANNED_FIRST: list(request.banned_first_ids),
        "bad_words": list(request.bad_words),
        "logprob_token_ids": list(watched),
        "return_tokens_as_token_ids": bool(watched),
    }
    asked = {name: value for name, value in beyond.items() if value}
    require(dialect, *asked)
    bans = {"logit_bias": {str(id_): LOGIT_BAN for id_ in request.banned_ids}} if request.banned_ids else {}
    stops = {"stop": list(request.stop)} if request.stop else {}
    always = {
        "prompt": list(request.prompt),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "logprobs": 0,
    }
    return always | stops | bans | asked


def require(dialect: Dialect, *parameters: str) -> None:
    """Raises CompletionRefused when the server would not obey one of them."""
    lacking = [name for name in parameters if not dialect.knows(name)]
    if lacking:
        raise CompletionRefused(
            f"the model's server ({dialect.owned_by!r}) does not know {', '.join(lacking)}; "
            "serve the model with assistant-monitor engine, vLLM or SGLang"
        )
