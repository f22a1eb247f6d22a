"""What an HTTP status and its Retry-After mean for a message: try again, or never."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from monitor.notify.contract import Permanent, Retry

Clock = Callable[[], datetime]

SHORTEST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 15 * 60.0

_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_RETRYABLE_STATUSES = frozenset({408, 425, 429})


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After asks for, clamped to 1 s .. 15 min; None when it is missing or says nothing.

    Slack and PagerDuty send integers; proxies in front of them send decimals and HTTP dates.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return _clamp(float(text))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return _clamp((at - now).total_seconds())


def refused(status: int, retry_after: str | None, now: datetime, detail: str) -> Retry | Permanent:
    """The result for a status that is not success: 408, 425, 429 and everything outside 4xx may get better."""
    error = f"HTTP {status}: {detail}" if detail else f"HTTP {status}"
    if status in _RETRYABLE_STATUSES or not 400 <= status < 500:
        return Retry(retry_after_seconds(retry_after, now), error)
    return Permanent(error)


def _clamp(seconds: float) -> float:
    return min(LONGEST_WAIT_SECONDS, max(SHORTEST_WAIT_SECONDS, seconds))
