"""What may stand behind the `?` of a request: one model for each list, each parameter with its form.

Whatever else stands there is refused with what would be right.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from monitor.check import CheckStatus, Purpose, Trigger
from monitor.labelling import Sample
from monitor.transcript import Outcome
from monitor.web.cursors import NumberCursor, PlaceCursor
from monitor.web.moments import AskedMoment

SHOWN = 50
MOST_SHOWN = 200
MOST_CHECKS = 200


def _flag(text: object) -> bool:
    if text not in ("true", "false"):
        raise ValueError("neither true nor false; write true or false")
    return text == "true"


def _whole(text: object) -> int:
    if not isinstance(text, str) or not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        raise ValueError("not a whole number; write digits, as in 50")
    return int(text)


def _number(text: object) -> float:
    if not isinstance(text, str) or not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text, re.ASCII):
        raise ValueError("not a number; write one as in 0.5")
    return float(text)


Flag = Annotated[bool, BeforeValidator(_flag)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), BeforeValidator(_number)]
Limit = Annotated[int, Field(ge=1, le=MOST_SHOWN, description="How many are shown at most."), BeforeValidator(_whole)]
Cursor = Annotated[PlaceCursor | None, Field(description="Where the list goes on: what `next` said.")]


class Query(BaseModel):
    """The parameters of a request; by itself one that takes none."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Listed(Query):
    """A list in parts."""

    limit: Limit = SHOWN
    cursor: Cursor = None


class Timed(Listed):
    """A list in parts, of a time."""

    since: Annotated[AskedMoment | None, Field(description="From this time on.")] = None
    until: Annotated[AskedMoment | None, Field(description="Before this time.")] = None


class ChecksQuery(Timed):
    """`since` and `until` are of when a check began."""

    suite: Name | None = None
    status: CheckStatus | None = None
    epoch: Name | None = None
    trigger: Trigger | None = None
    purpose: Purpose | None = None


class CheckConversationsQuery(Timed):
    """`since` and `until` are of when a conversation ended; scores are those that count, 0 for a failed answer."""

    intent: Name | None = None
    persona: Name | None = None
    outcome: Outcome | None = None
    passed: Annotated[Flag | None, Field(description="Whether it passed; without a score it is neither.")] = None
    min_score: Annotated[Share | None, Field(description="The least value that counts in the mean.")] = None
    max_score: Annotated[Share | None, Field(description="The greatest value that counts in the mean.")] = None


class ConversationsQuery(CheckConversationsQuery):
    """The same over all checks."""

    suite: Name | None = None


class LabelsQuery(Timed):
    """`since` and `until` are of when a label was given."""

    conversation: Name | None = None
    by: Name | None = None
    sample: Sample | None = None
    epoch: Name | None = None
    passed: Annotated[Flag | None, Field(description="What the person said.")] = None


class IncidentsQuery(Timed):
    """`since` and `until` are of when an incident was opened."""

    open: Annotated[Flag | None, Field(description="true: open ones; false: closed ones.")] = None


class SilencesQuery(Listed):
    """Silences that are not over, or all."""

    all: Annotated[Flag, Field(description="true: those that are over, too.")] = False


class AuditQuery(Query):
    """What people did."""

    limit: Limit = SHOWN
    cursor: Annotated[NumberCursor | None, Field(description="Where the list goes on: what `next` said.")] = None


class IntentsQuery(Query):
    """How far the history of each intent goes back."""

    checks: Annotated[
        int,
        Field(ge=1, le=MOST_CHECKS, description="So many of the newest checks make the history."),
        BeforeValidator(_whole),
    ] = 42


def parameters_of(kind: type[Query]) -> list[dict[str, Any]]:
    """The same as OpenAPI has it."""
    schema = kind.model_json_schema()
    named = schema.get("$defs", {})
    return (
        [_parameter(name, form, named) for name, form in schema["properties"].items()] if "properties" in schema else []
    )


def _parameter(name: str, form: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """Leaving a parameter out is its null, and enumerations stand where they are used."""
    told = {key: value for key, value in form.items() if key not in ("title", "anyOf", "description", "$ref")}
    kinds = [one for one in form.get("anyOf", [form]) if one.get("type") != "null"]
    (only,) = kinds
    ref = only.get("$ref")
    if ref is not None:
        only = {key: value for key, value in named[ref.rpartition("/")[2]].items() if key in ("type", "enum")}
    told = {**only, **told}
    if told.get("default", ...) is None:
        del told["default"]
    for extra in ("title", "description"):
        told.pop(extra, None)
    parameter = {"name": name, "in": "query", "required": False, "schema": told}
    return parameter | ({"description": form["description"]} if "description" in form else {})
