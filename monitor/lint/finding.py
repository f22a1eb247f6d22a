"""What a linter's rule says, and the texts of an intent that rules look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from monitor.intent import Intent


class Severity(StrEnum):
    """An error makes scores meaningless or must not leave the house; a warning is allowed and probably not meant."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with which field of an intent, and what would be right."""

    intent_id: str
    field: str
    rule: str
    severity: Severity
    text: str

    def __str__(self) -> str:
        return f"{self.intent_id}: {self.field}: {self.text}"


def error(intent: Intent, field: str, rule: str, text: str) -> Finding:
    """A finding that makes `validate` fail."""
    return Finding(intent_id=intent.id, field=field, rule=rule, severity=Severity.ERROR, text=text)


def warning(intent: Intent, field: str, rule: str, text: str) -> Finding:
    """A finding that is only told."""
    return Finding(intent_id=intent.id, field=field, rule=rule, severity=Severity.WARNING, text=text)


def texts(intent: Intent) -> Iterator[tuple[str, str]]:
    """Field and words of everything that its author told the user."""
    yield "description", intent.description
    if intent.opening:
        yield "opening", intent.opening
    for name, lines in (("script", intent.script), ("knows", intent.knows), ("does_not_know", intent.does_not_know)):
        for number, line in enumerate(lines):
            yield f"{name}[{number}]", line
