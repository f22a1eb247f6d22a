"""What people did to the monitor: who, when, what, and to which part of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One deed. `action` is a word such as `silence.add`, `subject` what it was done to (an id, a suite)."""

    at: datetime
    actor: str
    action: str
    subject: str
    detail: str = ""
