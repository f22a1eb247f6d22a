"""Section `assistants`: the systems under test, and how gently they are treated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from monitor.config.durations import Duration, Size
from monitor.config.fields import Count, Folder, HeaderName, HeaderValue, Section, Text, Url, wrong
from monitor.config.secrets import Secret, SecretEnv, SecretFile

_SECRET_NAME = re.compile(r"authori[sz]ation|cookie|token|secret|password|api-?_?key|credential", re.IGNORECASE)
_OURS = {"content-length", "content-type", "host", "transfer-encoding", "connection"}


class SecretHeader(Section):
    """A header whose value is secret."""

    value_file: SecretFile | None = None
    value_env: SecretEnv | None = None

    @property
    def value(self) -> Secret:
        """The header's value."""
        secret = self.value_file or self.value_env
        assert secret is not None, "validated"
        return secret

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.value_file is None) == (self.value_env is None):
            raise wrong(("", "name the value once; write value_file or value_env"))
        return self


class Budgets(Section):
    """What a suite's conversations may cost at most; conversations beyond that are cancelled."""

    requests_per_check: Count | None = None
    requests_per_day: Count | None = None
    tokens_per_check: int | None = Field(default=None, ge=1)
    tokens_per_day: int | None = Field(default=None, ge=1)


class AssistantSettings(Section):
    """One assistant."""

    kind: Literal["openai_chat"] = "openai_chat"
    """`openai_chat`: anything that answers OpenAI's chat completions."""
    url: Url
    """Where messages are posted, the path included."""
    model: Text | None = None
    """The `model` of the request; left out without one."""
    api_key_file: SecretFile | None = None
    api_key_env: SecretEnv | None = None
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Further headers, none of them secret."""
    secret_headers: dict[HeaderName, SecretHeader] = Field(default_factory=dict)
    """Further headers by name, each `value_file` or `value_env`."""
    system_prompt: Text | None = None
    """A system message before the conversation; production assistants have their own."""
    extra_body: dict[str, JsonValue] = Field(default_factory=dict)
    """Fields added to every request."""
    stream: bool = False
    """Ask for a stream, and measure the time to the first token."""
    turn_timeout_seconds: Duration = Field(default=60.0, alias="turn_timeout")
    conversation_timeout_seconds: Duration = Field(default=600.0, alias="conversation_timeout")
    max_response_bytes: Size = 1_000_000
    """A longer answer is an error of the assistant."""
    concurrency: int = Field(default=8, ge=1, le=10_000)
    """Conversations at once."""
    requests_per_second: float | None = Field(default=None, gt=0, le=100_000)
    enabled: bool = True
    """False: no request is sent."""
    kill_switch_file: Folder | None = None
    """While this file exists no request is sent."""
    budgets: Budgets = Budgets()

    @property
    def api_key(self) -> Secret | None:
        """The key, if one is configured."""
        return self.api_key_file or self.api_key_env

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = []
        if self.api_key_file and self.api_key_env:
            problems.append(("api_key_env", "the secret is named twice; keep api_key_file or api_key_env"))
        for name in [*self.headers, *self.secret_headers]:
            if name.lower() in _OURS:
                problems.append((name, "is set by the monitor itself; remove this header"))
        problems += [(f"headers.{name}", _NOT_HERE) for name in self.headers if _SECRET_NAME.search(name)]
        problems += secrets_in(self.extra_body)
        if self.turn_timeout_seconds > self.conversation_timeout_seconds:
            problems.append(("turn_timeout", "is longer than conversation_timeout; shorten it"))
        if problems:
            raise wrong(*problems)
        return self


def secrets_in(extra_body: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
    """The fields that look like a secret, each with what to do about it."""
    return [
        (f"extra_body.{name}", _NOT_THERE)
        for name, value in extra_body.items()
        if _SECRET_NAME.search(name) and _holds_text(value)
    ]


def _holds_text(value: JsonValue) -> bool:
    """Whether a secret could stand in it; a number, as of `max_tokens` or `stop_token_ids`, is none."""
    if isinstance(value, dict):
        return any(_holds_text(part) for part in value.values())
    if isinstance(value, list):
        return any(_holds_text(part) for part in value)
    return isinstance(value, str)


_NOT_THERE = "looks like a secret, which is never written here; remove it"
_NOT_HERE = "looks like a secret, which is never written here; move it to secret_headers with value_file or value_env"
