"""Secrets: named by file or by environment variable, read once at the start, never written out.

A configuration holds `token_file: path` or `token_env: NAME`, never the token. Both become a `Secret`, which shows its
source and not its value wherever it is printed.

`token_file: ${CREDENTIALS_DIRECTORY}/name` names a credential that systemd hands over (LoadCredential= in
systemd.exec(5)): its folder is that of one service and known only when it runs. No other variable is put into a path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import GetPydanticSchema, PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import core_schema

from monitor.config.yaml_source import read_bytes

MAX_SECRET_BYTES = 64_000
MAX_PATH = 4096
MASK = "********"
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
CREDENTIAL = f"${{{CREDENTIALS_VARIABLE}}}/"
"""What the path of a credential begins with."""

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Secret:
    """A value that must not be seen. `source` says where it came from; `reveal` is the only way to the value."""

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str) -> None:
        self._value = value
        self.source = source

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.source}, {MASK})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be pickled")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a configuration refers to outside its text: the folder of its file, and the environment."""

    folder: Path
    env: Mapping[str, str] = field(repr=False)

    def path(self, text: object) -> Path:
        """An absolute path; a relative one counts from the configuration's folder. Raises ValueError for no path."""
        if not (isinstance(text, str) and text.strip() and "\0" not in text and len(text) < MAX_PATH):
            raise ValueError("not a path; write the path of a file or folder, as text")
        return (self.folder / Path(text)).absolute()


def surroundings(info: ValidationInfo) -> Surroundings:
    """What was handed to the validation. Raises TypeError outside `load`."""
    if not isinstance(info.context, Surroundings):
        raise TypeError("settings are made by monitor.config.load")
    return info.context


def _from_file(value: object, info: ValidationInfo) -> Secret:
    around = surroundings(info)
    is_credential = isinstance(value, str) and value.startswith(CREDENTIAL)
    path = _credential(str(value), around) if is_credential else around.path(value)
    todo = "name it with LoadCredential= in the unit" if is_credential else "create the file"
    try:
        text = read_bytes(path, MAX_SECRET_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ValueError("the file is not UTF-8 text; write the secret into it on one line") from exc
    except ValueError as exc:
        if isinstance(exc.__cause__, PermissionError):
            todo = f"let user {os.geteuid()} read it"
        # The path is not repeated: people put the secret itself here by mistake.
        raise ValueError(f"{exc}; {todo} (relative paths count from {around.folder})") from exc
    return Secret(_one_line(text, "the file"), f"file {path.name}")


def _credential(value: str, around: Surroundings) -> Path:
    folder = around.env.get(CREDENTIALS_VARIABLE)
    if not folder:
        raise ValueError(
            f"{CREDENTIALS_VARIABLE} is not set: systemd sets it for a unit with LoadCredential=; "
            "elsewhere set it to the folder of these files"
        )
    return Surroundings(Path(folder), around.env).path(value.removeprefix(CREDENTIAL))


def _from_env(value: object, info: ValidationInfo) -> Secret:
    if not isinstance(value, str) or not _ENV_NAME.fullmatch(value):
        raise ValueError(
            "must be the name of an environment variable, not the secret itself; write for example MY_TOKEN"
        )
    found = surroundings(info).env.get(value)
    if found is None:
        raise ValueError("this environment variable is not set; set it, or name another one")
    return Secret(_one_line(found, "the environment variable"), f"environment variable {value}")


def _one_line(text: str, what: str) -> str:
    secret = text.strip()
    if not secret:
        raise ValueError(f"{what} is empty; write the secret into it")
    if not secret.isprintable():
        raise ValueError(f"{what} holds more than one line of text; write the secret alone into it")
    return secret


def _is_secret(_source: Any, _handler: Any) -> core_schema.CoreSchema:
    return core_schema.is_instance_schema(Secret)


_MASKED = PlainSerializer(lambda _: MASK, return_type=str)

SecretFile = Annotated[
    Secret,
    GetPydanticSchema(_is_secret),
    PlainValidator(_from_file),
    _MASKED,
    WithJsonSchema({"type": "string", "description": "Path of a file that holds the secret."}),
]
SecretEnv = Annotated[
    Secret,
    GetPydanticSchema(_is_secret),
    PlainValidator(_from_env),
    _MASKED,
    WithJsonSchema({"type": "string", "pattern": f"^{_ENV_NAME.pattern}$", "description": "Environment variable."}),
]
