"""The items of a checklist as they are written in files of intents."""

from __future__ import annotations

import re
from datetime import date as Date  # noqa: N812  a field below is called `date`
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    JsonValue,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from monitor.config.durations import DurationOrZero
from monitor.config.fields import Many, Name, Pattern, Section, Text, wrong
from monitor.config.json_schemas import check_schema
from monitor.intent import Amount, ExpectedCall, Forbidden, JsonSchema, JudgeQuestion, RequiredFact, State, ToolCalls

CONVERSATION = "{conversation_id}"
LONGEST_WAIT_SECONDS = 600.0
_AMOUNT = re.compile(r"([A-Z]{3}) (-?\d{1,15}(?:\.\d{1,6})?)")


def _date(value: object) -> Date:
    try:
        return Date.fromisoformat(value if isinstance(value, str) and len(value) == 10 else "")
    except ValueError as exc:
        raise ValueError("not a date; write year, month and day: '2026-03-31'") from exc


def _amount(value: object) -> Amount:
    match = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("not an amount; write the currency's three letters and a number: EUR 12.50")
    return Amount(currency=match[1], number=float(match[2]))


def _path(value: str) -> str:
    """The path itself. Raises ValueError for what is none."""
    plain = value.replace(CONVERSATION, "id")
    if not plain.startswith("/") or not plain.isascii() or not plain.isprintable() or re.search(r"[ #\\]", plain):
        raise ValueError(f"not a path of a URL; write it from its first slash on: /orders/{CONVERSATION}")
    if re.search(r"[{}]", plain):
        raise ValueError(f"holds a placeholder that is not known; there is only {CONVERSATION}")
    return value


IsoDate = Annotated[
    Date, PlainValidator(_date), PlainSerializer(Date.isoformat), WithJsonSchema({"type": "string", "format": "date"})
]
Money = Annotated[
    Amount,
    PlainValidator(_amount),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "pattern": f"^{_AMOUNT.pattern}$", "examples": ["EUR 12.50"]}),
]
Schema = Annotated[dict[str, JsonValue], AfterValidator(check_schema)]
Path = Annotated[str, Field(max_length=2_000), AfterValidator(_path)]
Wait = Annotated[DurationOrZero, Field(le=LONGEST_WAIT_SECONDS)]
Weight = Annotated[float, Field(gt=0, le=1_000_000)]


class RequiredFactItem(Section):
    """Holds when a pattern, a number, a date or an amount occurs in what the assistant said."""

    id: Name
    kind: Literal["required_fact"]
    patterns: Many[Pattern] = ()
    """Regular expressions, case ignored; one is enough."""
    number: float | None = None
    """A number, however it is written."""
    date: IsoDate | None = None
    """A day, however it is written in English; here as `'2026-03-31'`."""
    amount: Money | None = None
    """An amount of money, however it is written; here as `EUR 12.50`."""
    turns: Literal["any", "last"] = "any"
    """Which of the assistant's turns are looked at."""
    weight: Weight = 1.0
    critical: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.patterns and self.number is None and self.date is None and self.amount is None:
            raise wrong(("", "can never hold; add patterns, number, date or amount"))
        return self

    def value(self) -> RequiredFact:
        """The item as the scorers know it."""
        return RequiredFact(date=self.date, amount=self.amount, **self.model_dump(exclude={"date", "amount"}))


class ForbiddenItem(Section):
    """Fails, and zeroes the score, when a pattern occurs in what the assistant said."""

    id: Name
    kind: Literal["forbidden"]
    patterns: Many[Pattern] = Field(min_length=1)
    weight: Weight = 1.0
    critical: bool = True

    def value(self) -> Forbidden:
        """The item as the scorers know it."""
        return Forbidden(**self.model_dump())


class JsonSchemaItem(Section):
    """Holds when the assistant said a JSON document that satisfies a schema."""

    id: Name
    kind: Literal["json_schema"]
    json_schema: Schema = Field(alias="schema")
    turns: Literal["any", "last"] = "any"
    weight: Weight = 1.0
    critical: bool = False

    def value(self) -> JsonSchema:
        """The item as the scorers know it."""
        return JsonSchema(schema=self.json_schema, **self.model_dump(exclude={"json_schema"}))


class ExpectedCallSettings(Section):
    """A tool call that has to be made."""

    name: Text
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    """Those that matter; the call may have more."""


class ToolCallItem(Section):
    """Holds when the assistant called what it had to, and nothing that it must not."""

    id: Name
    kind: Literal["tool_call"]
    calls: Many[ExpectedCallSettings] = ()
    """Each must be made, by a call of its own."""
    only: Many[Text] = ()
    """Tools that may be called as `calls` says and not otherwise; without `calls`, not at all."""
    wait_seconds: Wait = Field(default=0.0, alias="wait")
    """How long after the conversation calls that are reported to the monitor are waited for."""
    weight: Weight = 1.0
    critical: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.calls and not self.only:
            raise wrong(("", "can never fail; add calls, only, or both"))
        return self

    def value(self) -> ToolCalls:
        """The item as the scorers know it."""
        calls = tuple(ExpectedCall(name=call.name, arguments=call.arguments) for call in self.calls)
        return ToolCalls(calls=calls, **self.model_dump(exclude={"calls"}))


class StateItem(Section):
    """Holds when a system that is asked after the conversation tells what the assistant was to bring about."""

    id: Name
    kind: Literal["state"]
    source: Name
    """Name of one of `state_sources`."""
    path: Path
    """Appended to the source's `url`; `{conversation_id}` stands for the id that the assistant was sent."""
    status: int = Field(default=200, ge=100, le=599)
    """Of the HTTP answer."""
    patterns: Many[Pattern] = ()
    """Regular expressions, case ignored; one must occur in the answer."""
    json_schema: Schema | None = Field(default=None, alias="schema")
    """What the answer, read as JSON, must satisfy."""
    wait_seconds: Wait = Field(default=0.0, alias="wait")
    """How long an answer that is not yet as expected is asked for again."""
    weight: Weight = 1.0
    critical: bool = False

    def value(self) -> State:
        """The item as the scorers know it."""
        return State(schema=self.json_schema, **self.model_dump(exclude={"json_schema"}))


class JudgeItem(Section):
    """A yes/no question for a judge; yes is good."""

    id: Name
    kind: Literal["judge"]
    question: Text
    weight: Weight = 1.0
    critical: bool = False

    def value(self) -> JudgeQuestion:
        """The item as the scorers know it."""
        return JudgeQuestion(**self.model_dump())


Item = Annotated[
    RequiredFactItem | ForbiddenItem | JsonSchemaItem | ToolCallItem | StateItem | JudgeItem, Discriminator("kind")
]
