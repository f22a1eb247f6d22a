"""The kinds of values that settings are made of, and the one base that every section has."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    PlainSerializer,
    PlainValidator,
    StrictStr,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.types import Strict
from pydantic_core import PydanticCustomError, core_schema

from monitor.config.secrets import surroundings
from monitor.patterns import refuse_empty

T = TypeVar("T")
UNIX = "unix://"
LONGEST_SOCKET_PATH = 100
"""In bytes; Unix sockets end at 108 (unix(7))."""


class Section(BaseModel):
    """A mapping of the configuration: frozen, no unknown keys, no conversions between kinds of values."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        validate_default=False,
    )


def wrong(*problems: tuple[str, str]) -> PydanticCustomError:
    """An error of a whole section: pairs of the key it is about ("" for the section) and the text."""
    return PydanticCustomError("setting", "{first}", {"first": problems[0][1], "problems": list(problems)})


def _resolve(value: object, info: ValidationInfo) -> Path:
    return surroundings(info).path(value)


def check_url(value: str) -> str:
    """The URL itself. Raises ValueError, without quoting it, unless it is http(s) with a host and no credentials."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as exc:
        raise ValueError("not a URL; write https://host/path") from exc
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable() or " " in value:
        raise ValueError("not a URL; write https://host/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL with a user or password in it; remove them and name a secret by its own key")
    if parts.fragment:
        raise ValueError("a URL with a fragment (`#...`); remove it")
    return value


def check_server_url(value: str) -> str:
    """The URL itself: as `check_url` has it, or `unix://` and the absolute path of a socket. Raises ValueError."""
    if not value.startswith("unix:"):
        return check_url(value)
    path = value.removeprefix(UNIX)
    if not path.startswith("/") or path.endswith("/") or not value.isprintable():
        raise ValueError("not the path of a Unix socket; write unix:///folder/name.sock")
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise ValueError(f"a path too long for a Unix socket; at most {LONGEST_SOCKET_PATH} bytes")
    return value


def check_pattern(value: str) -> str:
    """The regular expression itself. Raises ValueError when it is wrong or matches the empty text."""
    refuse_empty(value)
    return value


def check_text(value: str) -> str:
    """The text itself. Raises ValueError when there is nothing to read in it."""
    if not value.strip():
        raise ValueError("is blank; write some text")
    return value


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_ADDRESS = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})")


def _address(value: object) -> Address:
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[3]) > 65535:
        raise ValueError("not an address; write host:port in quotes, for example '127.0.0.1:9464' or '[::1]:9464'")
    return Address(match[1] or match[2], int(match[3]))


Many = Annotated[tuple[T, ...], Strict(False)]
Text = Annotated[str, Field(max_length=20_000), AfterValidator(check_text)]
Url = Annotated[str, Field(max_length=2_000), AfterValidator(check_url)]
ServerUrl = Annotated[str, Field(max_length=2_000), AfterValidator(check_server_url)]
Pattern = Annotated[str, Field(max_length=2_000), AfterValidator(check_pattern)]
Name = Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
"""A name in labels, keys of alerts and file names: lower-case letters, digits, `-` and `_`."""
Folder = Annotated[Path, PlainValidator(_resolve), PlainSerializer(str), WithJsonSchema({"type": "string"})]
ListenAddress = Annotated[
    Address,
    GetPydanticSchema(lambda _source, _handler: core_schema.is_instance_schema(Address)),
    PlainValidator(_address),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["127.0.0.1:9464"]}),
]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
HeaderName = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
HeaderValue = Annotated[StrictStr, Field(pattern=r"^[\x20-\x7e]*$", max_length=4_000)]
