"""Section `judge`: the language model that answers yes/no questions about conversations, and what it may cost."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from monitor.config.assistants import secrets_in
from monitor.config.durations import Duration, Size
from monitor.config.fields import UNIX, Count, Section, ServerUrl, Text, wrong
from monitor.config.secrets import Secret, SecretEnv, SecretFile
from monitor.config.suites import DEFAULT_WEIGHTS

QUALITY_WEIGHT = 0.25
"""Of the component `quality` where there is a judge and no weights are written."""


class JudgeBudgets(Section):
    """What judging may take in a day (UTC); conversations beyond that are judge errors."""

    requests_per_day: Count | None = None
    tokens_per_day: int | None = Field(default=None, ge=1)


class JudgePrices(Section):
    """What a million tokens cost, in any one currency."""

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)


class JudgeSettings(Section):
    """Any server of OpenAI's chat completions, another engine of ours among them."""

    url: ServerUrl
    """Where requests are posted: the path that ends in `/chat/completions`, or what it lies under
    (`https://host/v1`); or `unix:///folder/name.sock`.
    """
    model: Text | None = None
    """The `model` of the request; left out without one."""
    mode: Literal["logprobs", "json"] = "json"
    """`logprobs`: one question a call, P(yes) of the first token; `json`: all questions of a conversation in one call,
    asked three times where it is close.
    """
    api_key_file: SecretFile | None = None
    api_key_env: SecretEnv | None = None
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    """Fields added to every request; null takes one away."""
    timeout_seconds: Duration = Field(default=60.0, alias="timeout")
    """For one question or sheet of questions, further tries included."""
    concurrency: int = Field(default=8, ge=1, le=10_000)
    """Requests at once."""
    max_transcript_characters: int = Field(default=24_000, ge=1_000, le=10_000_000)
    """A longer conversation is shown without its middle."""
    max_response_bytes: Size = 1_000_000
    budgets: JudgeBudgets = JudgeBudgets()
    prices: JudgePrices | None = None
    """Without prices the cost is not measured."""

    @property
    def socket(self) -> Path | None:
        """The Unix socket, if it is one."""
        return Path(self.url.removeprefix(UNIX)) if self.url.startswith(UNIX) else None

    @property
    def api_key(self) -> Secret | None:
        """The key, if one is configured."""
        return self.api_key_file or self.api_key_env

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = secrets_in(self.extra_body)
        if self.api_key_file and self.api_key_env:
            problems.append(("api_key_env", "the secret is named twice; keep api_key_file or api_key_env"))
        problems += [
            (f"extra_body.{name}", "is set by the monitor itself; remove it")
            for name in ("messages", "logprobs", "top_logprobs", "n", "stream")
            if name in self.extra_body
        ]
        if problems:
            raise wrong(*problems)
        return self


NO_JUDGE = "needs a judge; add the section judge, or remove it"


def with_quality(data: object) -> object:
    """A configuration as written; where it has a judge and no weights, `quality` is weighed too."""
    if not isinstance(data, dict) or data.get("judge") is None:
        return data
    scoring = data.get("scoring", {})
    if not isinstance(scoring, dict) or "weights" in scoring:
        return data
    return data | {"scoring": scoring | {"weights": DEFAULT_WEIGHTS | {"quality": QUALITY_WEIGHT}}}
