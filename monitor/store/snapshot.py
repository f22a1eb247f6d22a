"""Everything that `/metrics` shows, read in eight queries whatever the number of suites."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from sqlalchemy import Connection, Select, desc, func, select, union_all

from monitor.check import CheckRecord, CheckStatus, Snapshot, SuiteSnapshot, Watched
from monitor.incident import NotificationStatus
from monitor.machine import NotificationKind
from monitor.store import canaries, counters
from monitor.store.checks import ALERTING
from monitor.store.rows import value_from
from monitor.store.tables import check, incident, notification, schedule_slot, verdict
from monitor.transcript import Outcome
from monitor.verdict import Verdict

VALID = (CheckStatus.HEALTHY, CheckStatus.DEGRADED)
ENDED = (*VALID, CheckStatus.INCONCLUSIVE)


def take(connection: Connection, suites: Mapping[str, Watched], *, now: datetime) -> Snapshot:
    """The state of the named suites and the totals.

    Checks made by hand are counted and otherwise left out. `verdicts` are those of the newest valid check. Counts of
    running checks and pending notifications are of this moment; all others only grow.
    """
    totals = counters.totals(connection, counters.CHECKS)
    talks = counters.totals(connection, counters.CONVERSATIONS)
    return Snapshot(
        taken_at=now,
        suites=_suites(connection, suites),
        checks={(suite, CheckStatus(status)): n for (suite, status), n in totals.items()} | _running(connection),
        conversations={(suite, Outcome(outcome)): n for (suite, outcome), n in talks.items()},
        notifications=_notifications(connection),
        incidents_open=_open_incidents(connection),
        canaries=canaries.newest(connection),
    )


def _suites(connection: Connection, suites: Mapping[str, Watched]) -> tuple[SuiteSnapshot, ...]:
    if not suites:
        return ()
    newest = [query for suite in suites for query in _newest_ids(suite)]
    query = select(check).where(check.c.id.in_(union_all(*newest))).order_by(desc(check.c.started_at), desc(check.c.id))
    found: dict[str, list[CheckRecord]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        found[row["suite"]].append(value_from(CheckRecord, row))
    valid = {suite: [c for c in found[suite] if c.status in VALID] + [None, None] for suite in suites}
    verdicts = _verdicts(connection, [pair[0].id for pair in valid.values() if pair[0]])
    since = _first_slots(connection, suites)
    return tuple(
        SuiteSnapshot(
            suite=suite,
            watched=watched,
            last=next(iter(found[suite]), None),
            last_ended=next((c for c in found[suite] if c.status in ENDED), None),
            last_valid=(best := valid[suite][0]),
            previous_valid=_comparable(best, valid[suite][1]),
            watched_since=since.get(suite),
            verdicts=tuple(verdicts[best.id]) if best else (),
        )
        for suite, watched in suites.items()
    )


def _comparable(newest: CheckRecord | None, before: CheckRecord | None) -> CheckRecord | None:
    """The check before, if both are of one epoch."""
    return before if newest and before and newest.epoch == before.epoch else None


def _newest_ids(suite: str) -> Iterator[Select[tuple[str]]]:
    """Queries for the newest check, the newest one that ended, and the two newest valid ones."""
    is_ended, is_valid = check.c.status.in_(ENDED), check.c.status.in_(VALID)
    for conditions, count in (((), 1), ((is_ended,), 1), ((is_valid,), 2)):
        ids = select(check.c.id).where(check.c.suite == suite, check.c.trigger.in_(ALERTING), *conditions)
        newest = ids.order_by(desc(check.c.started_at), desc(check.c.id)).limit(count).subquery()
        yield select(newest.c.id)


def _first_slots(connection: Connection, suites: Iterable[str]) -> Mapping[str, datetime]:
    slot = schedule_slot.c
    query = select(slot.suite, func.min(slot.at).label("first")).where(slot.suite.in_(list(suites)))
    return {row.suite: row.first for row in connection.execute(query.group_by(slot.suite))}


def _verdicts(connection: Connection, check_ids: Iterable[str]) -> Mapping[str, list[Verdict]]:
    query = select(verdict).where(verdict.c.check_id.in_(list(check_ids)))
    found: dict[str, list[Verdict]] = defaultdict(list)
    for row in connection.execute(query.order_by(verdict.c.check_id, verdict.c.position)).mappings():
        found[row["check_id"]].append(value_from(Verdict, row))
    return found


def _running(connection: Connection) -> dict[tuple[str, CheckStatus], int]:
    is_running = check.c.status == CheckStatus.RUNNING
    query = select(check.c.suite, func.count()).where(is_running).group_by(check.c.suite)
    return {(suite, CheckStatus.RUNNING): n for suite, n in connection.execute(query)}


def _notifications(connection: Connection) -> dict[tuple[str, str, str], int]:
    ended = {(a, b, c): n for (a, b, c), n in counters.totals(connection, counters.NOTIFICATIONS).items()}
    group = (notification.c.channel, notification.c.kind)
    is_pending = notification.c.status == NotificationStatus.PENDING
    rows = connection.execute(select(*group, func.count()).where(is_pending).group_by(*group))
    pending = {
        (channel, NotificationKind(kind).value, NotificationStatus.PENDING.value): n for channel, kind, n in rows
    }
    return ended | pending


def _open_incidents(connection: Connection) -> Mapping[str, int]:
    """By the suite whose check opened them; without one, by the first part of the scope."""
    query = select(incident.c.scope, check.c.suite).outerjoin(check, check.c.id == incident.c.opened_by_check)
    rows = connection.execute(query.where(incident.c.closed_at.is_(None)))
    return Counter(suite or scope.partition("/")[0] for scope, suite in rows)
