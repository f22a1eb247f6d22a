"""What one check says about one scope under one rule."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

OVERALL = "overall"


class Finding(StrEnum):
    """BREACH and RECOVERED move alerts; HOLD (between the two) and UNKNOWN (no evidence) move nothing."""

    BREACH = "breach"
    RECOVERED = "recovered"
    HOLD = "hold"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How loudly a breach is told. PagerDuty's own words."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """Higher is louder."""
        return (Severity.INFO, Severity.WARNING, Severity.ERROR, Severity.CRITICAL).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A rule's finding about a scope (`overall` or `suite/intent`), with the numbers it was made from."""

    scope: str
    rule: str
    finding: Finding
    severity: Severity
    reason: str
    value: float | None = None
    threshold: float | None = None
