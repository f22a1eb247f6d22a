"""What a simulated user wants, and how one can tell afterwards whether they got it.

Frozen values only: nothing here knows models, HTTP or the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date as Date  # noqa: N812  a field below is called `date`
from typing import Any, Literal

_ADDED_LATER = {"required_fact": ("date", "amount")}
"""Fields that no fingerprint holds while they are None, so that intents written before them keep theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """An amount of money. `currency` is a code of ISO 4217."""

    currency: str
    number: float

    def __str__(self) -> str:
        return f"{self.currency} {self.number:.12g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredFact:
    """Holds when any of `patterns` (regular expressions, case ignored), `number`, `date` or `amount` occurs in the
    assistant's turns, the latter three however people write them.
    """

    id: str
    patterns: tuple[str, ...] = ()
    number: float | None = None
    date: Date | None = None
    amount: Amount | None = None
    turns: Literal["any", "last"] = "any"
    weight: float = 1.0
    critical: bool = False
    kind: Literal["required_fact"] = "required_fact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden:
    """Fails, and closes the gate of the whole score, when any of `patterns` occurs in an assistant's turn."""

    id: str
    patterns: tuple[str, ...]
    weight: float = 1.0
    critical: bool = True
    kind: Literal["forbidden"] = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSchema:
    """Holds when an assistant's turn contains a JSON document that satisfies `schema`."""

    id: str
    schema: Mapping[str, Any]
    turns: Literal["any", "last"] = "any"
    weight: float = 1.0
    critical: bool = False
    kind: Literal["json_schema"] = "json_schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedCall:
    """A tool call that has to be made, with at least these arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalls:
    """Holds when each of `calls` was made by a call of its own, and no tool of `only` was called besides.

    Calls that were answered with an error are not looked at. `wait_seconds`: how long calls that are reported beside
    the conversation are waited for.
    """

    id: str
    calls: tuple[ExpectedCall, ...] = ()
    only: tuple[str, ...] = ()
    wait_seconds: float = 0.0
    weight: float = 1.0
    critical: bool = False
    kind: Literal["tool_call"] = "tool_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Holds when GET of `path` at the named `source` answers with `status`, one of `patterns` and what `schema` asks.

    `{conversation_id}` in the path is the id that the assistant was told. An answer that is not yet so is asked for
    again for `wait_seconds`.
    """

    id: str
    source: str
    path: str
    status: int = 200
    patterns: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    wait_seconds: float = 0.0
    weight: float = 1.0
    critical: bool = False
    kind: Literal["state"] = "state"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeQuestion:
    """One yes/no question, decidable from the transcript alone, put to a judge; yes is good."""

    id: str
    question: str
    weight: float = 1.0
    critical: bool = False
    kind: Literal["judge"] = "judge"


ChecklistItem = RequiredFact | Forbidden | JsonSchema | ToolCalls | State | JudgeQuestion


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One goal of one simulated user.

    `description` is what the user model is told ("You are a user who wants to ..."); `opening`, when given, is sent
    as it is as the first turn, outside the guardrails; `script` holds the turns of a scripted user;
    `allowed` is False when the right answer is a refusal.
    """

    id: str
    description: str
    checklist: tuple[ChecklistItem, ...]
    opening: str | None = None
    script: tuple[str, ...] = ()
    persona: str | None = None
    knows: tuple[str, ...] = ()
    does_not_know: tuple[str, ...] = ()
    weight: float = 1.0
    critical: bool = False
    allowed: bool = True
    min_turns: int = 1
    max_turns: int = 10
    tags: tuple[str, ...] = field(default=())

    @property
    def fingerprint(self) -> str:
        """16 hex digits over everything that makes two runs of this intent comparable."""
        document = asdict(self)
        for item in document["checklist"]:
            for name in _ADDED_LATER.get(item["kind"], ()):
                if item[name] is None:
                    del item[name]
        canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, default=_plain)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named set of intents played together against one assistant.

    Each is played `rounds` times in a check, or up to `most_rounds` times where that is not clear enough (None: never
    more).
    """

    name: str
    assistant: str
    intents: tuple[Intent, ...]
    rounds: int
    timeout_seconds: float
    threshold: float
    most_rounds: int | None = None


def _plain(value: object) -> object:
    """What JSON can hold in place of a value that it cannot."""
    return value.isoformat() if isinstance(value, Date) else dict(value)  # type: ignore[call-overload]
