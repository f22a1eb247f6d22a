"""The answer to "are you well?", as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether all is well, why (not), and numbers or names that help to see it. Never a secret or a transcript."""

    ok: bool
    reason: str
    details: Mapping[str, str | float | bool | None] = field(default_factory=dict)
