"""Section `notify.dead_man`: a service outside that calls when no ping comes any more."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from monitor.config.durations import Duration
from monitor.config.fields import Address, Section, check_url, wrong
from monitor.config.secrets import Secret, SecretEnv, SecretFile


def _ping_url(url: str) -> str:
    """The URL itself. Raises ValueError for one that would show itself on a network."""
    parts = urlsplit(check_url(url))
    if parts.scheme != "https" and not Address(parts.hostname or "", 0).is_loopback:
        raise ValueError("would be sent in the clear, and whoever reads it can ping; write https://host/path")
    return url


def _secret_ping_url(secret: Secret | None) -> Secret | None:
    if secret is not None:
        _ping_url(secret.reveal())
    return secret


class DeadManSettings(Section):
    """A service outside that calls when no ping comes any more."""

    url: Annotated[str, Field(max_length=2_000), AfterValidator(_ping_url)] | None = None
    url_file: Annotated[SecretFile | None, AfterValidator(_secret_ping_url)] = None
    url_env: Annotated[SecretEnv | None, AfterValidator(_secret_ping_url)] = None
    """For an address that is itself a secret."""
    timeout_seconds: Duration = Field(default=10.0, alias="timeout", ge=0.1, le=60.0)
    """For each of at most three attempts."""

    @property
    def address(self) -> Secret:
        """What is asked for by GET."""
        address = self.url_file or self.url_env or (Secret(self.url, self.url) if self.url else None)
        assert address is not None, "validated"
        return address

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.url, self.url_file, self.url_env)) != 1:
            raise wrong(("", "name the address once; write one of url, url_file, url_env"))
        return self
