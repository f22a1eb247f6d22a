"""Section `state_sources`: the systems that checklist items of the kind `state` ask."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from monitor.config.durations import Duration
from monitor.config.fields import Section, Url, wrong
from monitor.config.secrets import Secret, SecretEnv, SecretFile


class StateSourceSettings(Section):
    """One system that tells by HTTP GET what the assistant brought about."""

    url: Url
    """What the `path` of an item is appended to."""
    token_file: SecretFile | None = None
    token_env: SecretEnv | None = None
    timeout_seconds: Duration = Field(default=10.0, alias="timeout")
    """For one answer; a system that takes longer counts as not there, and the item as not measured."""

    @property
    def token(self) -> Secret | None:
        """What is sent as a bearer token, if anything."""
        return self.token_file or self.token_env

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.token_file and self.token_env:
            raise wrong(("token_env", "the secret is named twice; keep token_file or token_env"))
        if "?" in self.url:
            raise wrong(("url", "has a query (`?...`), and paths are appended to it; write the query into the items"))
        return self
