"""How a suite stands in a word, why, and since when. From values that are known without asking the database too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.check import CheckStatus, SuiteSnapshot
from monitor.incident import Incident
from monitor.store import CheckPoint
from monitor.verdict import Finding

NAMED_BREACHES = 4
STALE, PAUSED, NEW = "stale", "paused", "no check yet"
_LOST = (CheckStatus.ABORTED, CheckStatus.CANCELLED)
_ENDED = (CheckStatus.HEALTHY, CheckStatus.DEGRADED, CheckStatus.INCONCLUSIVE)
_RANKS = {CheckStatus.DEGRADED.value: 0, STALE: 1, CheckStatus.INCONCLUSIVE.value: 2, NEW: 3, PAUSED: 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """`word` is the status of the newest check that came to its end, unless there is none, it is too old, or the suite
    is switched off. `reasons` say why, the most important first. `since`: it has been so since then (None: unknown), or
    for longer still where `is_longer`.
    """

    word: str
    reasons: tuple[str, ...]
    since: datetime | None
    is_longer: bool
    is_running: bool

    def rank(self, incidents: int) -> tuple[bool, int]:
        """Worse comes first: what has an open incident, then what is bad, old or unclear."""
        return not incidents, _RANKS.get(self.word, 4)


def condition(snapshot: SuiteSnapshot, points: Sequence[CheckPoint], now: datetime) -> Condition:
    """How it stands now. `points` are its checks, newest first; without them `since` is not known."""
    is_running = snapshot.last is not None and snapshot.last.status is CheckStatus.RUNNING
    word = _word(snapshot, now)
    since, is_longer = (stale_since(snapshot, now), False) if word == STALE else _since(word, points)
    return Condition(
        word=word,
        reasons=tuple(_reasons(snapshot, word)),
        since=since,
        is_longer=is_longer,
        is_running=is_running,
    )


def stale_since(snapshot: SuiteSnapshot, now: datetime) -> datetime | None:
    """When the last valid check ended (without any: when the first was due), if that is longer ago than is allowed;
    None while all is in time, or nothing is expected.
    """
    limit = snapshot.watched.stale_after_seconds
    valid = snapshot.last_valid
    last = (valid.finished_at or valid.started_at) if valid else snapshot.watched_since
    if limit is None or last is None or (now - last).total_seconds() <= limit:
        return None
    return last


def open_of(suite: str, incidents: Sequence[Incident]) -> list[Incident]:
    """Those of this suite's scopes that are open, the loudest first."""
    ours = [one for one in incidents if one.closed_at is None and suite_of(one) == suite]
    return loudest_first(ours)


def loudest_first(incidents: Sequence[Incident]) -> list[Incident]:
    """The loudest first, of these those that nobody took, of these the newest."""
    newest = sorted(incidents, key=lambda one: (one.opened_at, one.id), reverse=True)
    return sorted(newest, key=lambda one: (-one.severity.rank, one.acked_by is not None))


def suite_of(incident: Incident) -> str:
    """The suite that an incident is about; no suite's name for what is about the monitor itself."""
    return incident.scope.partition("/")[0]


def _word(snapshot: SuiteSnapshot, now: datetime) -> str:
    if snapshot.watched.is_paused:
        return PAUSED
    if stale_since(snapshot, now) is not None:
        return STALE
    return snapshot.last_ended.status.value if snapshot.last_ended else NEW


def _since(word: str, points: Sequence[CheckPoint]) -> tuple[datetime | None, bool]:
    """When the first of the newest checks with this status began, and whether none that is known had another before."""
    since = None
    for point in points:
        if point.status in _ENDED and point.status.value != word:
            return since, False
        since = point.started_at if point.status.value == word else since
    return since, since is not None and len(points) > 1


def _reasons(snapshot: SuiteSnapshot, word: str) -> list[str]:
    last, ended, reasons = snapshot.last, snapshot.last_ended, []
    if word == STALE:
        reasons.append("No check has said anything about the assistant for longer than is allowed.")
    if word == PAUSED:
        reasons.append("Its assistant is switched off on purpose; nothing is asked of it.")
    if last is not None and last.status in _LOST:
        reasons.append(f"The newest check was {last.status}{f': {last.reason}' if last.reason else ''}")
    if ended is not None and ended.reason:
        reasons.append(ended.reason)
    breaches = [v for v in snapshot.verdicts if v.finding is Finding.BREACH and v.reason not in reasons]
    is_current = ended is not None and snapshot.last_valid is not None and ended.id == snapshot.last_valid.id
    told = [f"{breach.rule}: {breach.reason}" for breach in breaches] if is_current else []
    left = len(told) - NAMED_BREACHES
    return [*reasons, *told[:NAMED_BREACHES], *([f"and {left} more verdicts in breach"] if left > 0 else [])]
