"""What a simulated user wants, and how one can tell afterwards whether they got it.

Frozen values only: nothing here knows models, HTTP or the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredFact:
    """Holds when any of `patterns` (regular expressions, case ignored) or `number` occurs in the assistant's turns."""

    id: str
    patterns: tuple[str, ...] = ()
    number: float | None = None
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
class JudgeQuestion:
    """One yes/no question, decidable from the transcript alone, put to a judge; yes is good."""

    id: str
    question: str
    weight: float = 1.0
    critical: bool = False
    kind: Literal["judge"] = "judge"


ChecklistItem = RequiredFact | Forbidden | JsonSchema | JudgeQuestion


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
        canonical = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, default=dict)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A named set of intents played together against one assistant."""

    name: str
    assistant: str
    intents: tuple[Intent, ...]
    rounds: int
    timeout_seconds: float
    threshold: float
