"""The rule `nodata`: nobody has watched the assistant for too long. Pure; elapsed time is given.

It shares the incident of the whole suite. What ends it is a valid check, in the transaction that closes that check.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor.verdict import OVERALL, Finding, Severity, Verdict

NAME = "nodata"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a suite may go without a valid check, and how long one check may take, its second attempt included."""

    limit_seconds: float
    check_seconds: float

    @property
    def longest_seed_seconds(self) -> float:
        """What may count as elapsed when a daemon starts: one check can still end before anybody is told."""
        return max(0.0, self.limit_seconds - self.check_seconds)


def judge(suite: str, elapsed_seconds: float, patience: Patience, valid_at: datetime | None) -> Verdict:
    """BREACH once the patience is over, else HOLD: that time is left is no evidence of anything."""
    since = f"since {valid_at:%Y-%m-%d %H:%M} UTC" if valid_at else "so far"
    reason = f"no valid check {since}; one may take at most {patience.limit_seconds / 3600:.3g} h to come"
    return _verdict(suite, Finding.BREACH if elapsed_seconds > patience.limit_seconds else Finding.HOLD, reason)


def recovered(suite: str, reason: str = "a valid check came") -> Verdict:
    """The end of it."""
    return _verdict(suite, Finding.RECOVERED, reason)


def _verdict(suite: str, finding: Finding, reason: str) -> Verdict:
    return Verdict(scope=f"{suite}/{OVERALL}", rule=NAME, finding=finding, severity=Severity.CRITICAL, reason=reason)
