"""Lines of a JSONL file: conversations to be scored and labels. What is wrong is told with the line's number."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.errors import ConfigError
from monitor.intent import Intent
from monitor.scorers.contract import Case
from monitor.studies.messages import Unreadable, read_messages

NEUTRAL = Intent(id="none", description="You are a user who wants something of the assistant.", checklist=())
"""The intent of a conversation that names none: nothing is asked of it, so `task` is off."""
LONGEST_LINE = 20_000_000
FindIntent = Callable[[object], Intent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A conversation of a file; `messages` gives the index of the message of each turn."""

    line: int
    id: str
    case: Case
    messages: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A line that cannot be used, and what would be right."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


def read_objects(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]] | Wrong]:
    """The JSON object of each line that is not blank, with its number from 1 on."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if len(line) > LONGEST_LINE:
            yield Wrong(line=number, text=f"longer than {LONGEST_LINE} characters; split the conversation")
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as exc:
            yield Wrong(line=number, text=f"not JSON ({exc}); write one object a line")
            continue
        yield (number, value) if isinstance(value, dict) else Wrong(line=number, text="not an object; write {...}")


def read_case(number: int, value: dict[str, Any], find_intent: FindIntent, *, at: datetime) -> Given | Wrong:
    """The conversation of one object: `{"id", "messages", "intent"?, "end"?}`."""
    try:
        given = _id(value.get("id"))
        foreign = read_messages(value.get("messages"), at=at, end=value.get("end", "user_ended"))
        intent = NEUTRAL if value.get("intent") is None else find_intent(value["intent"])
    except Unreadable as exc:
        return Wrong(line=number, text=str(exc))
    except ConfigError as exc:
        return Wrong(line=number, text="; ".join(f"intent: {problem}" for problem in exc.problems))
    case = Case(intent=intent, transcript=foreign.transcript)
    return Given(line=number, id=given, case=case, messages=foreign.messages)


def _id(given: object) -> str:
    if isinstance(given, bool) or not isinstance(given, str | int) or given == "":
        raise Unreadable("id: write a text that names the conversation")
    return str(given)
